// The playground put together: its parts are what they import, each by itself.

import { onTrouble } from "./api.js";
import { compareModels } from "./compare.js";
import { byId, say } from "./dom.js";
import { draw, shownFileName, shownSeed, shownText } from "./drawing.js";
import { fillForm, readForm, readLink, shapeForm } from "./form.js";
import { latest } from "./latest.js";
import { chosenModel, defaultModel, describe, loadModels, namesModels } from "./models.js";
import { closeScore, showScore } from "./scoring.js";

const RECOVERED_MS = 4000;

let inTrouble = false;
onTrouble((trouble) => {
  const back = inTrouble && !trouble;
  inTrouble = Boolean(trouble);
  say(byId("trouble"), trouble ? `${trouble}; trying again…` : back ? "The service is back." : "");
  if (back) setTimeout(() => inTrouble || say(byId("trouble")), RECOVERED_MS);
});

/** Show what the page's link says, or what the form does. */
function replayLink() {
  const link = readLink();
  if (link) fillForm(link);
  if (link && !link.has("model")) {
    link.set("model", defaultModel());
    byId("model").value = defaultModel();
  }
  if (link && !link.has("safe")) {
    byId("safe").checked = chosenModel().defaults.safe;
    link.set("safe", chosenModel().defaults.safe);
  }
  changeModel();
  draw({ link });
}

function changeModel() {
  const model = chosenModel();
  shapeForm(model);
  describe(model);
  showScore();
}

const compare = latest(async (signal) => {
  const parameters = readForm();
  const seed = parameters.get("seed") ?? shownSeed() ?? "1";
  parameters.set("seed", seed);
  byId("comparison").hidden = false;
  byId("comparison-title").focus();
  byId("comparison-status").textContent = `Drawing with seed ${seed}…`;
  await compareModels(namesModels(), parameters, signal);
  byId("comparison-status").textContent =
    `Seed ${seed} by ${namesModels().length} models. NLL: nats per character on names held out; lower is better.`;
});

function closeComparison() {
  byId("comparison").hidden = true;
  byId("compare").focus();
}

function keepSeed() {
  byId("seed").value = shownSeed();
  byId("keep").hidden = true;
  byId("seed").focus();
}

async function copy(text, what) {
  await navigator.clipboard.writeText(text);
  byId("status").textContent = `${what} copied.`;
}

function download() {
  const url = URL.createObjectURL(new Blob([shownText()], { type: "text/plain" }));
  Object.assign(document.createElement("a"), { href: url, download: shownFileName() }).click();
  URL.revokeObjectURL(url);
}

const CLICKS = {
  compare,
  "close-comparison": closeComparison,
  close: closeScore,
  more: () => draw({ more: true }),
  keep: keepSeed,
  copy: () => copy(shownText(), "Names"),
  link: () => copy(location.href, "Link"),
  download,
};

await loadModels();
for (const [id, act] of Object.entries(CLICKS)) byId(id).addEventListener("click", () => act());
// Without HTTPS a browser lets no page write to the clipboard.
for (const id of ["copy", "link"]) byId(id).hidden = !navigator.clipboard;
byId("model").addEventListener("change", changeModel);
byId("request").addEventListener("submit", (event) => {
  event.preventDefault();
  draw({ push: true });
});
window.addEventListener("popstate", replayLink);
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.isComposing) return;
  if (byId("word").value) closeScore();
  else if (!byId("comparison").hidden) closeComparison();
});
replayLink();
