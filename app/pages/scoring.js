// The word whose surprise is shown: typed, or a name that was clicked.

import { Refused } from "./api.js";
import { byId } from "./dom.js";
import { latest } from "./latest.js";
import { chosenModel } from "./models.js";
import { leaveChosen, onChosen, unmark } from "./names.js";
import { describeScore, drawScore, score, strangeCharacter } from "./surprise.js";

const DEBOUNCE_MS = 200;

const word = byId("word");

/** Show how surprised the chosen model is by the word. */
export const showScore = latest(async (signal) => {
  const model = chosenModel();
  byId("word-label").textContent = `Click a ${model.kind === "text" ? "text" : "name"}, or type one`;
  const strange = strangeCharacter(word.value, model);
  if (!word.value || strange) return showNone(...(strange ?? []));
  try {
    const result = await score(word.value, model, signal);
    byId("score").replaceChildren(...drawScore(result, model));
    say(describeScore(result, model), "unseen");
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    showNone(error.message.replace(/^word\S*: /, ""));
  }
});

/** Show no word; the focus goes back to the name that was clicked. */
export function closeScore() {
  document.body.classList.remove("choosing");
  word.value = "";
  showScore();
  leaveChosen();
}

function showNone(...reason) {
  byId("score").replaceChildren();
  say(reason, "fault");
}

/** The score in a sentence is for screen readers; what is wrong with a word is for all. */
function say(parts, className) {
  byId("score-status").className = className;
  byId("score-status").replaceChildren(...[parts].flat());
}

onChosen((name, button) => {
  word.value = name;
  document.body.classList.add("choosing");
  button.scrollIntoView({ block: "nearest" });
  showScore();
});

let typing = 0;
word.addEventListener("input", () => {
  unmark();
  clearTimeout(typing);
  typing = setTimeout(showScore, DEBOUNCE_MS);
});
