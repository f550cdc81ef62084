// The form, the parameters it stands for, and the link that replays them.

import { byId, say } from "./dom.js";

const form = byId("request");
const safe = byId("safe");
const slider = byId("temperature-slider");

/** What the form asks for, as URLSearchParams; fields that are empty are left out. */
export function readForm() {
  const given = [...new FormData(form)].filter(([, value]) => value !== "");
  // Without a word the server would do as it is set.
  if (!safe.disabled && !safe.checked) given.push(["safe", "false"]);
  return new URLSearchParams(given);
}

/** Set every field to its parameter, or to nothing. */
export function fillForm(parameters) {
  for (const field of form.elements) {
    if (field.type === "checkbox") field.checked = parameters.get(field.name) === field.value;
    else if (field.name) field.value = parameters.get(field.name) ?? field.defaultValue ?? "";
  }
  const more = byId("more-parameters");
  more.open = [...more.querySelectorAll("input")].some((field) => parameters.has(field.name));
  slideTemperature();
}

/** The parameters of this page's link, and null where it has none. */
export function readLink() {
  return location.hash.includes("=") ? new URLSearchParams(location.hash.slice(1)) : null;
}

/** Make the address that of these parameters; `before` stays in the history if `push`. */
export function writeLink(parameters, push) {
  const hash = `#${parameters}`;
  if (hash === location.hash) return;
  history[push ? "pushState" : "replaceState"](null, "", hash);
}

/** Say what is wrong with the request, at the field that is at fault if there is one. */
export function showFault(problem) {
  clearFault();
  const names = problem.errors.map((error) => error.parameter);
  const field = [...form.elements].find((candidate) => names.includes(candidate.name));
  const label = field?.labels[0].textContent;
  say(byId("fault"), field ? problem.detail.replace(`${field.name}:`, `${label}:`) : problem.detail);
  if (!field) return;
  if (field.closest("details")) field.closest("details").open = true;
  field.setAttribute("aria-invalid", "true");
  field.setAttribute("aria-errormessage", "fault");
}

export function clearFault() {
  say(byId("fault"));
  for (const field of form.querySelectorAll("[aria-invalid]")) {
    field.removeAttribute("aria-invalid");
    field.removeAttribute("aria-errormessage");
  }
}

/** Make a model's form: a prompt and a length for running text. */
export function shapeForm(model) {
  const text = model.kind === "text";
  for (const part of form.querySelectorAll("[data-kind]")) {
    part.hidden = text;
    for (const input of part.querySelectorAll("input")) input.disabled = text;
  }
  byId("prefix-label").textContent = text ? "Goes on from" : "Begins with";
  byId("prefix").rows = text ? 2 : 1;
  document.querySelector('label[for="max_length"]').textContent = text ? "Characters" : "Longest";
  byId("max_length").placeholder = model.defaults.max_length;
}

function slideTemperature() {
  slider.value = byId("temperature").value || 1;
}

slider.addEventListener("input", () => (byId("temperature").value = slider.value));
byId("temperature").addEventListener("input", slideTemperature);

// Enter submits from the prompt as from every other field; with Shift it is a line break.
byId("prefix").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  form.requestSubmit();
});
