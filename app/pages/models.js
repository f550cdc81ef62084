// What there is to choose from, and what is known of the chosen one.

import { api } from "./api.js";
import { held } from "./compare.js";
import { byId, element } from "./dom.js";

const KINDS = { lines: "Names", text: "Running text" };
const count = (number) => number.toLocaleString("en");

/** {default, models} of the service, with the select filled. */
export async function loadModels() {
  const served = await (await api("/models")).json();
  const groups = Object.entries(KINDS).map(([kind, label]) => {
    const models = served.models.filter((model) => model.kind === kind);
    const options = models.map(({ id }) => {
      return element("option", { value: id }, id === served.default ? `${id} (default)` : id);
    });
    return element("optgroup", { label }, ...options);
  });
  byId("model").replaceChildren(...groups.filter((group) => group.children.length));
  byId("model").value = served.default;
  return served;
}

/** Show what a model is, and its pictures if they are open. */
export function describe(model) {
  const error = held(model);
  const figures = error ? ` · ${error.toFixed(3)} nats per character held out` : "";
  byId("model-summary").textContent = `${count(model.parameters)} parameters${figures}`;
  byId("about-title").textContent = model.id;
  const facts = {
    Architecture: model.architecture,
    Parameters: count(model.parameters),
    "Held out": error ? `${error.toFixed(3)} nats per character` : "not measured",
    Alphabet: `${count(model.vocabulary.size)} characters`,
    "Fitted on": model.corpus.name,
    Fingerprint: model.fingerprint.slice(0, 12),
  };
  const rows = Object.entries(facts).map(([name, value]) => {
    return element("div", {}, element("dt", {}, name), element("dd", {}, String(value ?? "")));
  });
  byId("facts").replaceChildren(...rows);
  showPlots(model);
}

let shown = "";
let current = null;

async function showPlots(model) {
  current = model;
  if (!byId("pictures").open || shown === model.id) return;
  shown = model.id;
  byId("plots").replaceChildren();
  const { plots } = await (await api(`/models/${encodeURIComponent(model.id)}/plots`)).json();
  const figures = await Promise.all(plots.map(figure));
  if (shown !== model.id) return;
  byId("plots").replaceChildren(...figures);
  if (!figures.length) byId("plots").textContent = "This model was fitted without pictures.";
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
