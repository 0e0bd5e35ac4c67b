// The service's metrics: read from Prometheus' text format, kept for a while, and compared over the last seconds.

import { ask } from "./api.js";

const WINDOW_MS = 10_000;
const LINE = /^convoy_(\w+?)(?:\{(.*)\})? (\S+)$/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;
const WANTED = new Set(
  ["model_info", "requests_total", "requests_in_flight", "classified_requests_total", "queue_images"].concat(
    ["request_seconds", "decode_seconds", "queue_seconds", "inference_seconds", "batch_size"].flatMap((name) =>
      ["bucket", "sum", "count"].map((part) => `${name}_${part}`),
    ),
  ),
);

/** The metrics as they are now. */
export async function readMetrics() {
  const text = await (await ask("metrics", { accept: "text/plain" })).text();
  const samples = new Map();
  for (const line of text.split("\n")) {
    const [, name, labels = "", value] = LINE.exec(line) ?? [];
    if (!WANTED.has(name)) continue;
    if (!samples.has(name)) samples.set(name, []);
    const read = new Map([...labels.matchAll(LABEL)].map(([, key, text]) => [key, text]));
    samples.get(name).push([read, Number(value)]);
  }
  return { samples, time: performance.now() };
}

/** Readings of the last seconds, the newest at the end. */
export class History {
  #readings = [];

  add(reading) {
    this.#readings.push(reading);
    while (this.#readings.length > 2 && reading.time - this.#readings[1].time >= WINDOW_MS) this.#readings.shift();
  }

  /** The length of the window in seconds; 0 after the first reading. */
  get seconds() {
    return (this.#readings.at(-1).time - this.#readings[0].time) / 1000;
  }

  /** Whether models were added or removed since the previous reading. */
  get hasOtherModels() {
    const [before, now] = this.#readings.slice(-2).map(served);
    return now !== undefined && before !== now;
  }

  /** The current sum of all samples with this name and these labels. */
  now(name, labels) {
    return total(this.#readings.at(-1), name, labels);
  }

  /** The increase over the window. After a restart, the service counts from 0 again. */
  grown(name, labels) {
    const now = this.now(name, labels);
    const before = total(this.#readings[0], name, labels);
    return now >= before ? now - before : now;
  }

  /** Cumulative counts by upper bound: over the window, or since the start if nothing was counted in the window. */
  buckets(name, labels) {
    const isLive = this.grown(`${name}_count`, labels) > 0;
    const now = byBound(this.#readings.at(-1), name, labels);
    const then = isLive ? byBound(this.#readings[0], name, labels) : new Map();
    const isNew = [...now].some(([bound, count]) => count < (then.get(bound) ?? 0));
    return [...now].map(([bound, count]) => [bound, count - (isNew ? 0 : (then.get(bound) ?? 0))]).sort(([one], [other]) => one - other);
  }
}

/** A quantile, estimated as by Prometheus' histogram_quantile; null if there are no observations. */
export function quantile(share, buckets) {
  const count = buckets.at(-1)?.[1] ?? 0;
  if (!count) return null;
  const rank = share * count;
  const place = buckets.findIndex(([, below]) => below >= rank);
  const [low, before] = place > 0 ? buckets[place - 1] : [0, 0];
  const [high, below] = buckets[place];
  return high === Infinity ? low : low + ((high - low) * (rank - before)) / (below - before);
}

const served = (reading) =>
  (reading.samples.get("model_info") ?? [])
    .filter(([, value]) => value === 1)
    .map(([labels]) => `${labels.get("model")}/${labels.get("version")}`)
    .sort()
    .join(" ");

const fits = (found, labels) => Object.entries(labels).every(([key, value]) => found.get(key) === value);

const total = (reading, name, labels) =>
  (reading.samples.get(name) ?? []).filter(([found]) => fits(found, labels)).reduce((sum, [, value]) => sum + value, 0);

const byBound = (reading, name, labels) =>
  new Map(
    (reading.samples.get(`${name}_bucket`) ?? [])
      .filter(([found]) => fits(found, labels))
      .map(([found, value]) => [found.get("le") === "+Inf" ? Infinity : Number(found.get("le")), value]),
  );
