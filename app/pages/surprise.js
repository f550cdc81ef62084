// How surprised a model is by a word: a row a character for a name, a tile each for running text.

import { api } from "./api.js";
import { element } from "./dom.js";

const MOST_NATS = 8;
const MOST_LISTED = 80;
const VISIBLE = { "": "end", "\n": "↵", " ": "␣" };
const SPOKEN = { "": "the end", "\n": "line break", " ": "space" };

/** What the service says of one word. */
export async function score(word, model, signal) {
  const query = new URLSearchParams({ word, model: model.id });
  const answer = await (await api(`/score?${query}`, signal)).json();
  return answer.results[0];
}

/** What to say of a word with a character that the model does not know; null if it has none. */
export function strangeCharacter(word, model) {
  const characters = [...word.normalize("NFC")];
  const known = model.vocabulary.characters;
  const place = characters.findIndex((character) => !known.includes(character));
  if (place < 0) return null;
  const allowed = known.length <= MOST_LISTED ? ` It knows ${known}` : "";
  return [
    ...characters.slice(0, place),
    element("mark", {}, characters[place]),
    ...characters.slice(place + 1),
    `: character ${place + 1} is not in the alphabet of ${model.id}.${allowed}`,
  ];
}

/** All of a score, as elements. */
export function drawScore(result, model) {
  const characters = model.kind === "text" ? tiles(result.characters) : table(result.characters);
  return [summary(result), ...standing(result), ...training(result), characters, legend()];
}

/** A score in a sentence. */
export function describeScore(result, model) {
  const known = { true: ", in the training names", false: ", not in the training names" };
  const stands = result.percentile === null ? "" : `, ${amongNames(result.percentile)}`;
  return `${result.word}: ${nats(result.nll_per_char)} nats per character by ${model.id}${stands}${known[result.in_training] ?? ""}.`;
}

/** Where it stands among names that the model was not fitted on. */
const amongNames = (percentile) =>
  `more name-like than ${wholePercent(percentile.like_length)} of held-out names of like length`;

function summary(result) {
  const perCharacter = element("strong", {}, nats(result.nll_per_char));
  const rest = `${nats(result.nll)} in all · perplexity ${nats(result.perplexity)}`;
  return element("p", { className: "summary" }, perCharacter, " nats per character ", element("span", {}, rest));
}

function standing(result) {
  if (result.percentile === null) return [];
  const text = amongNames(result.percentile);
  return [element("p", { className: "standing" }, `${text[0].toUpperCase()}${text.slice(1)}`)];
}

function training(result) {
  if (result.in_training === null) return [];
  const text = result.in_training ? "✓ In the training names" : "✦ New: not in the training names";
  return [element("p", { className: result.in_training ? "known" : "new" }, text)];
}

function table(characters) {
  const titles = [
    element("th", { scope: "col" }, element("span", { className: "unseen" }, "Character")),
    element("th", { scope: "col", colSpan: 2 }, "Nats"),
    element("th", { scope: "col" }, "Chance"),
    element("th", { scope: "col" }, "Rank"),
  ];
  return element(
    "table",
    {},
    element("thead", {}, element("tr", {}, ...titles)),
    element("tbody", {}, ...characters.map(row)),
  );
}

function row(found) {
  const bar = element("span", { className: "bar" });
  heat(bar, found);
  return element(
    "tr",
    {},
    element("th", { scope: "row", className: found.character ? "" : "end" }, visible(found.character)),
    element("td", { className: "nats" }, nats(found.nll)),
    element("td", { className: "track" }, bar),
    element("td", {}, percent(found.probability)),
    element("td", {}, String(found.rank)),
  );
}

function tiles(characters) {
  const items = characters.map((found) => {
    const spoken = `${SPOKEN[found.character] ?? found.character}: ${nats(found.nll)} nats`;
    const tile = element(
      "li",
      { title: `${spoken}, chance ${percent(found.probability)}, rank ${found.rank}` },
      element("b", {}, visible(found.character)),
      element("span", {}, nats(found.nll)),
    );
    heat(tile, found);
    return tile;
  });
  return element("ol", { className: "tiles" }, ...items);
}

function legend() {
  const scale = element("span", { className: "scale" });
  return element("p", { className: "legend" }, "expected 0", scale, `${MOST_NATS} nats, surprising`);
}

/** How far up the scale of colours it is: 0 to 1. */
function heat(place, found) {
  const share = found.nll === null ? 1 : Math.min(found.nll / MOST_NATS, 1);
  place.style.setProperty("--heat", share.toFixed(3));
}

const visible = (character) => VISIBLE[character] ?? character;

/** Two digits after the point; what the model holds impossible has no number. */
const nats = (value) => (value === null ? "∞" : value < 1000 ? value.toFixed(2) : value.toExponential(1));

/** As "83 %"; 0 and 100 are said of nothing else. */
const wholePercent = (share) =>
  `${share > 0 && share < 100 ? Math.min(Math.max(Math.round(share), 1), 99) : share} %`;

const percent = (probability) =>
  probability >= 0.001 || probability === 0
    ? `${(100 * probability).toFixed(1)} %`
    : `${(100 * probability).toPrecision(1)} %`;
