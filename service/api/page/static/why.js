// Why: filled in when the service can explain.
import { make } from "./dom.js";

export const whyButton = () => make("span");
