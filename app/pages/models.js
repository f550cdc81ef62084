// What there is to choose from, and what is known of the chosen one.

import { api, Refused } from "./api.js";
import { byId, element } from "./dom.js";

const KINDS = { lines: "Names", text: "Running text" };
const count = (number) => number.toLocaleString("en");

let served = null;

export const defaultModel = () => served.default;

/** Those that give names, not running text. */
export const namesModels = () => served.models.filter((model) => model.kind === "lines");

/** The model that is selected; the default one where a link asks for one that is not served. */
export function chosenModel() {
  const wanted = byId("model").value || served.default;
  return served.models.find((model) => model.id === wanted);
}

/** Ask what is served, and fill the select. */
export async function loadModels() {
  served = await (await api("/models")).json();
  const groups = Object.entries(KINDS).map(([kind, label]) => {
    const models = served.models.filter((model) => model.kind === kind);
    const options = models.map(({ id }) => {
      return element("option", { value: id }, id === served.default ? `${id} (default)` : id);
    });
    return element("optgroup", { label }, ...options);
  });
  byId("model").replaceChildren(...groups.filter((group) => group.children.length));
  byId("model").value = served.default;
}

/** NLL on the split that has no name in two parts, or else on any that there is. */
export function heldOut(model) {
  const { clean, ...others } = model.evaluation;
  const split = clean ?? Object.values(others)[0] ?? {};
  return split.test ?? split.dev;
}

/** Show what a model is, and its pictures if they are open. */
export function describe(model) {
  const error = heldOut(model);
  const figures = error ? ` · ${error.toFixed(3)} nats per character held out` : "";
  byId("model-summary").textContent = `${count(model.parameters)} parameters${figures}`;
  byId("about-title").textContent = model.id;
  const facts = {
    Architecture: model.architecture,
    Parameters: count(model.parameters),
    "Held out": error ? `${error.toFixed(3)} nats per character` : "not measured",
    Alphabet: `${count(model.vocabulary.size)} characters`,
    "Fitted on": model.corpus.name,
    Fingerprint: model.fingerprint,
  };
  const rows = Object.entries(facts).map(([name, value]) => {
    return element("div", {}, element("dt", {}, name), element("dd", {}, String(value ?? "")));
  });
  byId("facts").replaceChildren(...rows);
  showPlots(model);
}

let current = null;
let pictured = null;

async function showPlots(model) {
  current = model;
  if (!byId("pictures").open || pictured === model) return;
  pictured = model;
  byId("plots").replaceChildren();
  const found = await plotsOf(model);
  if (pictured === model) byId("plots").replaceChildren(...found);
}

async function plotsOf(model) {
  try {
    const { plots } = await (await api(`/models/${encodeURIComponent(model.id)}/plots`)).json();
    if (plots.length) return await Promise.all(plots.map(figure));
    return ["This model was fitted without pictures."];
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return [error.message];
  }
}

/** A picture; what it says in words is its alternative text. */
async function figure(plot) {
  const svg = await (await api(plot.url)).text();
  // Without its style, which the page's policy would report; the image keeps it.
  const bare = svg.replace(/<style>.*?<\/style>/s, "");
  const drawing = new DOMParser().parseFromString(bare, "image/svg+xml").documentElement;
  const said = drawing.querySelector("desc")?.textContent ?? "";
  const image = element("img", {
    src: URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" })),
    width: drawing.getAttribute("width"),
    height: drawing.getAttribute("height"),
    alt: `${plot.title}. ${said}`,
  });
  image.addEventListener("load", () => URL.revokeObjectURL(image.src), { once: true });
  return element("figure", {}, image);
}

byId("pictures").addEventListener("toggle", () => current && showPlots(current));
