// The list of names: one stop for Tab, arrow keys within.

import { byId, element } from "./dom.js";

const list = byId("list");

/** How far an arrow key leads: a name, or a row of them. */
function step(key) {
  const row = getComputedStyle(list).gridTemplateColumns.split(" ").length;
  return { ArrowRight: 1, ArrowDown: row, ArrowLeft: -1, ArrowUp: -row }[key];
}

const buttons = () => [...list.querySelectorAll("button")];

/** The names shown. */
export const names = () => buttons().map((button) => button.value);

export function clearNames(kind) {
  list.replaceChildren();
  list.className = kind;
}

export function addName(name) {
  const button = element("button", { type: "button", value: name, tabIndex: list.children.length ? -1 : 0 }, name);
  list.append(element("li", {}, button));
}

/** Call `chosen` with the name that is clicked, and its button. */
export function onChosen(chosen) {
  list.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    unmark();
    button.setAttribute("aria-current", "true");
    reach(button);
    chosen(button.value, button);
  });
}

/** Choose no name; the one that was chosen gets the focus. */
export function leaveChosen() {
  const chosen = list.querySelector("[aria-current]");
  unmark();
  chosen?.focus();
}

export function unmark() {
  list.querySelector("[aria-current]")?.removeAttribute("aria-current");
}

function reach(button) {
  for (const other of list.querySelectorAll('[tabindex="0"]')) other.tabIndex = -1;
  button.tabIndex = 0;
}

list.addEventListener("keydown", (event) => {
  const all = buttons();
  const here = all.indexOf(document.activeElement);
  const target = { Home: 0, End: all.length - 1 }[event.key] ?? here + step(event.key);
  if (here < 0 || !all[target]) return;
  event.preventDefault();
  reach(all[target]);
  all[target].focus();
});
