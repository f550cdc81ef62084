// The key of a service that has keys: asked for when it is needed, kept as long as this tab.

import { byId, say } from "./dom.js";

const PLACE = "namewright-key";
const NEEDED = "This service needs a key.";
const WRONG = "The service does not take this key.";

const form = byId("access");
const field = byId("key");

let key = recall();
/** Counts the keys that were entered: what an answer to an earlier one says no longer counts. */
let entered = 0;
let entering = null;
let resolveEntry = () => {};
let served = false;

/** What a request is sent with: headers, and which of the keys entered it has. */
export function credentials() {
  return { headers: key ? { Authorization: `Bearer ${key}` } : {}, entered };
}

/** The service has taken what a request was sent with. */
export function taken(sent) {
  if (entering || sent.entered !== entered) return;
  if (served && form.hidden) return;
  served = true;
  const here = form.contains(document.activeElement);
  remember(key);
  form.hidden = true;
  field.value = "";
  document.querySelector("main").hidden = false;
  byId("forget").hidden = !key;
  if (here) byId("names-title").focus({ preventScroll: true });
}

/** It was refused: resolves when there is another key, and rejects when `signal` aborts. */
export function anotherKey(sent, signal) {
  if (sent.entered !== entered) return;
  if (!entering) {
    entering = new Promise((resolve) => (resolveEntry = resolve));
    ask();
  }
  const given = entering;
  return new Promise((resolve, reject) => {
    given.then(resolve);
    signal?.addEventListener("abort", () => reject(signal.reason));
  });
}

function ask() {
  document.querySelector("main").hidden = !served;
  form.hidden = false;
  byId("forget").hidden = true;
  remember("");
  tell(key ? WRONG : NEEDED, Boolean(key));
  // Who is writing something else goes on with it.
  if (!document.activeElement?.matches("input, textarea")) field.focus();
}

function tell(text, wrong) {
  say(byId("key-status"), text);
  byId("key-status").className = wrong ? "fault" : "";
  field.setAttribute("aria-invalid", String(wrong));
}

function enter(given) {
  // A header could not hold it, nor is there such a key.
  if (!/^[!-~]+$/.test(given)) return tell(given ? WRONG : NEEDED, true);
  key = given;
  entered++;
  entering = null;
  tell("Asking…", false);
  resolveEntry();
}

/** Another reader of this tab shall see neither the key nor what it gave. */
function forget() {
  remember("");
  location.reload();
}

// A browser that keeps nothing for pages throws; then a key lasts as long as the page.
function recall() {
  try {
    return sessionStorage.getItem(PLACE) ?? "";
  } catch {
    return "";
  }
}

function remember(value) {
  try {
    if (value) sessionStorage.setItem(PLACE, value);
    else sessionStorage.removeItem(PLACE);
  } catch {}
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  enter(field.value.trim());
});
byId("forget").addEventListener("click", forget);
