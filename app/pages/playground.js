// The playground: what happens when something is asked for.

import { onTrouble, Refused } from "./api.js";
import { compareModels } from "./compare.js";
import { byId, say } from "./dom.js";
import { clearFault, fillForm, readForm, readLink, shapeForm, showFault, writeLink } from "./form.js";
import { describe, loadModels } from "./models.js";
import { addName, clearNames, leaveChosen, names, onChosen, unmark } from "./names.js";
import { describeScore, drawScore, score, strangeCharacter } from "./surprise.js";
import { drawNames } from "./stream.js";

const DEBOUNCE_MS = 200;
const RECOVERED_MS = 4000;
const MOST = 1000;
const TOO_MANY = {
  detail: `This page shows at most ${MOST} names; the service itself streams any number.`,
  errors: [{ parameter: "n" }],
};
const CHANGED = "The model has changed since this link was made: its names may differ.";

// First, since the page waits for the models already.
let inTrouble = false;
onTrouble((trouble) => {
  const back = inTrouble && !trouble;
  inTrouble = Boolean(trouble);
  say(byId("trouble"), trouble ? `${trouble}; trying again…` : back ? "The service is back." : "");
  if (back) setTimeout(() => inTrouble || say(byId("trouble")), RECOVERED_MS);
});

const served = await loadModels();
const chosenModel = () => served.models.find((model) => model.id === byId("model").value) ?? served.models[0];

/** What is shown: the parameters that replay it, and where it goes on. */
let shown = null;

/** One task of a kind at a time: a new one ends the one before. */
function latest(work) {
  let controller = new AbortController();
  return async (...given) => {
    controller.abort();
    controller = new AbortController();
    const { signal } = controller;
    try {
      await work(signal, ...given);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  };
}

// Names.

const draw = latest(async (signal, { link = null, push = false, more = false } = {}) => {
  clearFault();
  const parameters = more ? following() : (link ?? readForm());
  const expected = parameters.get("fingerprint");
  parameters.delete("fingerprint");
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

function begin(parameters, about, expected, push) {
  const replay = new URLSearchParams(parameters);
  replay.set("seed", about.seed);
  shown = { replay, fingerprint: about.fingerprint, drawn: !parameters.has("seed") };
  clearNames(chosenModel().kind);
  const changed = expected && expected !== about.fingerprint;
  say(byId("changed"), changed ? CHANGED : "");
  rememberLink(push);
}

function take({ name, index }) {
  addName(name);
  shown.next = index + 1;
}

function finish(event) {
  const { replay, drawn } = shown;
  const got = names().length;
  shown.next = event.next_offset;
  const what = chosenModel().kind === "text" ? "texts" : "names";
  const short = event.end === "exhausted" ? " No more were found: the lengths leave too few." : "";
  byId("status").textContent = `${got} ${what} by ${replay.get("model")}, seed ${replay.get("seed")}.${short}`;
  replay.set("n", Math.max(got, 1));
  rememberLink(false);
  byId("names-actions").hidden = got === 0;
  byId("more").hidden = event.end === "exhausted" || got >= MOST;
  byId("keep").hidden = !drawn || byId("seed").value === replay.get("seed");
}

/** The parameters of what comes after the names shown. */
function following() {
  const parameters = new URLSearchParams(shown.replay);
  parameters.set("offset", shown.next);
  parameters.set("n", Math.min(readForm().get("n") ?? MOST, MOST - names().length));
  return parameters;
}

function rememberLink(push) {
  writeLink(new URLSearchParams([...shown.replay, ["fingerprint", shown.fingerprint]]), push);
}

/** Show what the page's link says, or what the form does. */
function replayLink() {
  const link = readLink();
  if (link) fillForm(link);
  if (!byId("model").value) byId("model").value = served.default;
  changeModel();
  if (link && !link.has("model")) link.set("model", served.default);
  draw({ link });
}

// Surprise.

const showScore = latest(async (signal) => {
  const word = byId("word").value;
  const model = chosenModel();
  byId("word-label").textContent = model.kind === "text" ? "Click a text, or type one" : "Click a name, or type one";
  const strange = strangeCharacter(word, model);
  if (!word || strange) return refuseWord(...(strange ?? []));
  try {
    const result = await score(word, model, signal);
    byId("score").replaceChildren(...drawScore(result, model));
    byId("score-status").className = "unseen";
    byId("score-status").textContent = describeScore(result, model);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    refuseWord(error.message.replace(/^word\S*: /, ""));
  }
});

/** Show no score, and say why. */
function refuseWord(...reason) {
  byId("score").replaceChildren();
  byId("score-status").className = "fault";
  byId("score-status").replaceChildren(...reason);
}

onChosen((name) => {
  byId("word").value = name;
  document.body.classList.add("choosing");
  document.activeElement.scrollIntoView({ block: "nearest" });
  showScore();
});

function closeSurprise() {
  document.body.classList.remove("choosing");
  byId("word").value = "";
  showScore();
  leaveChosen();
}

let typing = 0;
byId("word").addEventListener("input", () => {
  unmark();
  clearTimeout(typing);
  typing = setTimeout(showScore, DEBOUNCE_MS);
});

// Comparison.

const compare = latest(async (signal) => {
  const models = served.models.filter((model) => model.kind === "lines");
  const parameters = readForm();
  const seed = parameters.get("seed") ?? shown?.replay.get("seed") ?? "1";
  parameters.set("seed", seed);
  byId("comparison").hidden = false;
  byId("comparison-title").focus();
  byId("comparison-status").textContent = `Drawing with seed ${seed}…`;
  await compareModels(models, parameters, signal);
  byId("comparison-status").textContent =
    `Seed ${seed} by ${models.length} models; NLL is in nats per character on names held out, lower is better.`;
});

function closeComparison() {
  byId("comparison").hidden = true;
  byId("compare").focus();
}

// The rest of the page.

function changeModel() {
  const model = chosenModel();
  shapeForm(model);
  describe(model);
  showScore();
}

async function copy(text, what) {
  await navigator.clipboard.writeText(text);
  byId("status").textContent = `${what} copied.`;
}

const asText = () => names().join(byId("list").className === "text" ? "\n\n" : "\n") + "\n";

function download() {
  const url = URL.createObjectURL(new Blob([asText()], { type: "text/plain" }));
  const seed = shown.replay.get("seed").replace(/[^\w-]+/g, "-").slice(0, 40);
  const link = Object.assign(document.createElement("a"), {
    href: url,
    download: `names-${shown.replay.get("model")}-${seed}.txt`,
  });
  link.click();
  URL.revokeObjectURL(url);
}

const clicks = {
  compare,
  "close-comparison": closeComparison,
  close: closeSurprise,
  more: () => draw({ more: true }),
  keep: () => {
    byId("seed").value = shown.replay.get("seed");
    byId("keep").hidden = true;
    byId("seed").focus();
  },
  copy: () => copy(asText(), "Names"),
  link: () => copy(location.href, "Link"),
  download,
};
for (const [id, act] of Object.entries(clicks)) byId(id).addEventListener("click", () => act());

// Without HTTPS a browser lets no page write to the clipboard.
for (const id of ["copy", "link"]) byId(id).hidden = !navigator.clipboard;

byId("request").addEventListener("submit", (event) => {
  event.preventDefault();
  draw({ push: true });
});
byId("model").addEventListener("change", changeModel);
window.addEventListener("popstate", replayLink);
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  if (byId("word").value) closeSurprise();
  else if (!byId("comparison").hidden) closeComparison();
});

replayLink();
