// Elements of the page: found by their id, made of their parts. Text goes in as text and never as markup.

/** Find an element that the page has. */
export function byId(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found;
}

/** Make an element with attributes and children; null and false attributes are left out. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children);
  return element;
}

/** A mark that is seen and not read out: the word beside it says the same. */
export function mark(sign) {
  return make("span", { class: "mark", "aria-hidden": "true" }, sign);
}

/** Set a text only when it changes, so that nothing is read out twice. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
