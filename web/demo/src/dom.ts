// Small helpers around the document. Styles are set by classes and custom properties, since the
// page's content security policy allows no style attribute in markup.

type Attributes = Record<string, string | number | boolean | null | undefined>;
type Child = Node | string | null | undefined | false;

/** An element with attributes (`true` sets an empty one; false, null and undefined none) and children. */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** The element of the page's markup with this id and class. */
export function byId<T extends HTMLElement>(id: string, type: new () => T): T {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new Error(`the page has no ${type.name} named ${id}`);
  return element;
}

/** A push button. */
export function button(label: string, action: () => void, attributes: Attributes = {}): HTMLButtonElement {
  const element = el("button", { type: "button", class: "button", ...attributes }, label);
  element.addEventListener("click", action);
  return element;
}

/** Text for screen readers alone. */
export function hiddenText(text: string): HTMLElement {
  return el("span", { class: "sr" }, text);
}

let pending = 0;

/** Says something to screen readers, once the visitor has stopped typing for a moment. */
export function announce(text: string): void {
  clearTimeout(pending);
  pending = setTimeout(() => {
    byId("live", HTMLElement).textContent = text;
  }, 700);
}
