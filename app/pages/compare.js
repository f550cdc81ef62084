// The first names of one seed by every model of names, side by side.

import { api, Refused } from "./api.js";
import { byId, element } from "./dom.js";
import { heldOut } from "./models.js";

const MOST = 10;
const LEFT_OUT = ["model", "n"];

/** Fill the columns as the answers come; resolves when all have. */
export async function compareModels(models, parameters, signal) {
  const asked = new URLSearchParams([...parameters].filter(([name]) => !LEFT_OUT.includes(name)));
  asked.set("n", Math.min(parameters.get("n") ?? MOST, MOST));
  const columns = models.map((model) => column(model));
  byId("columns").replaceChildren(...columns);
  await Promise.all(models.map((model, place) => fill(columns[place], model, asked, signal)));
}

function column(model) {
  const error = heldOut(model);
  const title = element("h3", {}, model.id);
  const note = element("p", { className: "hint" }, error ? `NLL ${error.toFixed(3)}` : "");
  return element("div", { className: "column" }, title, note, element("ol", { ariaBusy: "true" }));
}

async function fill(place, model, asked, signal) {
  const list = place.querySelector("ol");
  const query = new URLSearchParams([...asked, ["model", model.id]]);
  try {
    const answer = await (await api(`/generate?${query}`, signal)).json();
    list.append(...answer.names.map((name) => element("li", {}, name)));
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    place.append(element("p", { className: "fault" }, error.message));
  }
  list.removeAttribute("aria-busy");
}
