// Names that are drawn, what is said of them, and the link that replays them.

import { Refused } from "./api.js";
import { byId, say } from "./dom.js";
import { clearFault, readForm, showFault, writeLink } from "./form.js";
import { latest } from "./latest.js";
import { chosenModel } from "./models.js";
import { addName, clearNames, names } from "./names.js";
import { drawNames } from "./stream.js";

const MOST = 1000;
const TOO_MANY = {
  detail: `This page shows at most ${MOST} names; the service itself streams any number.`,
  errors: [{ parameter: "n" }],
};
/** What a link says of where its names came from, and what is said where that is another now. */
const CHANGED = {
  fingerprint: "The model has changed since this link was made: its names may differ.",
  safe_list: "The list of offensive words has changed since this link was made: its names may differ.",
};
const ORIGIN = Object.keys(CHANGED);

/** What is shown: parameters that replay it, its model's kind, its origin, where it goes on. */
let shown = null;

/**
 * Draw names and show them.
 * @param link the parameters of a link; those of the form if not given
 * @param push whether what was shown before stays in the history
 * @param more after the names that are shown, not in their place
 */
export const draw = latest(async (signal, { link = null, push = false, more = false } = {}) => {
  clearFault();
  const parameters = more ? following() : (link ?? readForm());
  const expected = Object.fromEntries(ORIGIN.map((name) => [name, parameters.get(name)]));
  for (const name of ORIGIN) parameters.delete(name);
  if (!parameters.has("n")) parameters.set("n", byId("n").defaultValue);
  if (parameters.get("n") > MOST) return showFault(TOO_MANY);
  const said = byId("status").textContent;
  byId("status").textContent = "Drawing…";
  try {
    for await (const event of drawNames(parameters, signal)) {
      if ("name" in event) take(event);
      else if ("end" in event) finish(event);
      else if (!more) begin(parameters, event, expected, push);
    }
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    byId("status").textContent = said;
    showFault(error.problem);
  }
});

/** The seed of the names that are shown, if there are any. */
export const shownSeed = () => shown?.replay.get("seed");

/** The names that are shown, as a file; between texts stands an empty line. */
export function shownText() {
  return names().join(shown.kind === "text" ? "\n\n" : "\n") + "\n";
}

export function shownFileName() {
  const seed = shownSeed().replace(/[^\w-]+/g, "-").slice(0, 40);
  return `names-${shown.replay.get("model")}-${seed}.txt`;
}

function begin(parameters, { seed, ...origin }, expected, push) {
  const replay = new URLSearchParams(parameters);
  replay.set("seed", seed);
  const { kind } = chosenModel();
  shown = { replay, kind, origin, drawn: !parameters.has("seed"), next: replay.get("offset") ?? 0 };
  clearNames(kind);
  byId("names-title").textContent = kind === "text" ? "Texts" : "Names";
  const changed = ORIGIN.find((name) => expected[name] && expected[name] !== origin[name]);
  say(byId("changed"), CHANGED[changed] ?? "");
  rememberLink(push);
}

function take({ name, index }) {
  addName(name);
  shown.next = index + 1;
}

function finish({ end, next_offset }) {
  const { replay, drawn, kind } = shown;
  const got = names().length;
  shown.next = next_offset;
  replay.set("n", Math.max(got, 1));
  rememberLink(false);
  const what = `${got} ${kind === "text" ? "text" : "name"}${got === 1 ? "" : "s"}`;
  const short = end === "exhausted" ? " No more were found: the lengths leave too few." : "";
  byId("status").textContent = `${what} by ${replay.get("model")}, seed ${shownSeed()}.${short}`;
  byId("names-actions").hidden = got === 0;
  byId("more").hidden = end === "exhausted" || got >= MOST;
  byId("keep").hidden = !drawn || byId("seed").value === shownSeed();
}

/** The parameters of what comes after the names that are shown. */
function following() {
  const parameters = new URLSearchParams(shown.replay);
  parameters.set("offset", shown.next);
  parameters.set("n", Math.min(readForm().get("n") ?? MOST, MOST - names().length));
  return parameters;
}

function rememberLink(push) {
  const origin = Object.entries(shown.origin).filter(([, value]) => value);
  writeLink(new URLSearchParams([...shown.replay, ...origin]), push);
}
