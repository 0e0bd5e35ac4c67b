// The models that can be chosen, in every list of the page.

import { askJson } from "./api.js";
import { byId, make } from "./dom.js";

let all = [];

/** Asks which models are served, and fills the lists. */
export async function loadModels() {
  const { models, default_model: first } = await askJson("models");
  all = models.flatMap((model) =>
    model.versions.map((version) => ({
      ...version,
      name: model.name,
      id: `${model.name}/${version.version}`,
      isDefault: version.version === model.default_version,
      isFirst: model.name === first && version.version === model.default_version,
    })),
  );
  const drawn = all.filter(isDrawn);
  fill("model", all);
  fill("beside", all, "no other model");
  fill("network-model", all);
  fill("draw-model", drawn);
  byId("empty").hidden = all.length > 0;
  byId("draw-link").hidden = drawn.length === 0;
  return all;
}

/** Whether to mark this version as the default of its model: only if the model has other versions. */
export const isMarked = (model) => model.isDefault && all.some((other) => other.name === model.name && other !== model);

export const models = () => all;
export const isDrawn = (model) => model.input.polarity === "light-on-dark";

/** The model that a list shows; undefined where it shows none. */
export const chosen = (list) => all.find((model) => model.id === byId(list).value);

function fill(list, models, nothing) {
  const select = byId(list);
  const before = select.value;
  const options = models.map((model) =>
    make("option", { value: model.id }, `${model.name}, version ${model.version}${isMarked(model) ? " (default)" : ""}`),
  );
  if (nothing) options.unshift(make("option", { value: "" }, nothing));
  select.replaceChildren(...options);
  const preferred = [(model) => model.id === before, (model) => model.isFirst, (model) => model.isDefault].map((is) => models.find(is)).find(Boolean);
  select.value = nothing && !before ? "" : (preferred?.id ?? models[0]?.id ?? "");
}
