// Live measurements: requests a second, latency by stage, batch sizes.

import { facts, make, percent } from "./dom.js";
import { quantile } from "./metrics.js";

const STAGES = [
  ["Decode", "decode_seconds"],
  ["Wait for a batch", "queue_seconds"],
  ["Inference", "inference_seconds"],
];

/** The measurements of the service: of all POST requests. */
export function showService(history) {
  const post = { method: "POST" };
  const buckets = history.buckets("request_seconds", post);
  return [
    facts([
      ["Requests a second", rate(history, history.grown("request_seconds_count", post))],
      ["50 % answered within (p50)", duration(quantile(0.5, buckets))],
      ["99 % answered within (p99)", duration(quantile(0.99, buckets))],
      ["Requests in progress", Math.max(0, history.now("requests_in_flight", {}) - 1)], // without the request for these metrics
    ]),
  ];
}

/** The measurements of one model. */
export function showModel(history, model) {
  const labels = { model: model.name, version: model.version };
  const requests = history.now("classified_requests_total", labels);
  const first = facts([
    ["Requests a second", rate(history, history.grown("classified_requests_total", labels))],
    ["Requests so far", requests.toLocaleString("en")],
    ["Images in the queue", history.now("queue_images", labels)],
  ]);
  if (history.now("batch_size_count", labels) === 0) return [first];
  return [first, latency(history, labels), sizes(history.buckets("batch_size", labels))];
}

const rate = (history, grown) => (history.seconds > 0 ? (grown / history.seconds).toFixed(1) : "…");

function duration(seconds) {
  if (seconds === null) return "no requests yet";
  if (seconds >= 1) return `${seconds.toFixed(2)} s`;
  const milliseconds = 1000 * seconds;
  return `${milliseconds < 10 ? milliseconds.toFixed(2) : milliseconds.toFixed(0)} ms`;
}

function latency(history, labels) {
  const row = ([title, name]) => {
    const buckets = history.buckets(name, labels);
    const cells = [0.5, 0.99].map((share) => make("td", { class: "number" }, buckets.at(-1)?.[1] ? duration(quantile(share, buckets)) : "–"));
    return make("tr", {}, make("th", { scope: "row" }, title), ...cells);
  };
  const heads = ["p50", "p99"].map((title) => make("th", { scope: "col", class: "number" }, title));
  return make(
    "table",
    { class: "latency" },
    make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "Latency"), ...heads)),
    make("tbody", {}, ...STAGES.map(row)),
  );
}

/** The share of runs for each batch size that occurred. */
function sizes(buckets) {
  const all = buckets.at(-1)[1];
  let lower = 0;
  let below = 0;
  const list = make("ul", { class: "bars sizes" });
  for (const [bound, count] of buckets) {
    const share = (count - below) / all;
    if (share > 0) {
      const bar = make("span", { class: "bar", "aria-hidden": "true" });
      bar.style.width = `${100 * share}%`;
      list.append(make("li", {}, bar, make("span", {}, between(lower + 1, bound)), make("span", { class: "share" }, percent(share, 0))));
    }
    [lower, below] = [bound, count];
  }
  return make("div", {}, make("h4", {}, "Batch sizes, as shares of runs"), list);
}

function between(low, high) {
  if (high === Infinity) return `${low} or more`;
  return low === high ? `${low}` : `${low} to ${high}`;
}
