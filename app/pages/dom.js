// Elements by id, and new ones. Text is always set as text: what a model draws is never markup.

export const byId = (id) => document.getElementById(id);

export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** Show `text` in a place that is hidden while it has nothing to say. */
export function say(place, text = "") {
  place.textContent = text;
  place.hidden = !text;
}
