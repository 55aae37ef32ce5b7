// Elements, and changes of them in place: what is as it was is not touched, so that a selection, a focus and a place in the page stay.
// Text of others is only ever text: nothing here reads HTML.

const SVG = "http://www.w3.org/2000/svg";

// An element with its class, attributes and children; a child may be text.
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) setAttribute(element, name, value);
  element.append(...children);
  return element;
}

export function makeSvg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) setAttribute(element, name, value);
  element.append(...children);
  return element;
}

// A host name, which may be broken behind each of its dots.
export function breakable(name) {
  return name.split(".").flatMap((label, at) => at === 0 ? [label] : [".", make("wbr"), label]);
}

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// null, undefined and false: without it.
export function setAttribute(element, name, value) {
  if (value === null || value === undefined || value === false) {
    if (element.hasAttribute(name)) element.removeAttribute(name);
  } else if (element.getAttribute(name) !== String(value)) {
    element.setAttribute(name, String(value));
  }
}

// The children of an element are those of `parts` (key → element), in this order; `begin` makes one that is new.
export function arrange(parent, parts, keys, begin) {
  const wanted = new Set(keys);
  for (const [key, element] of parts) {
    if (!wanted.has(key)) {
      element.remove();
      parts.delete(key);
    }
  }
  let next = parent.firstElementChild;
  for (const key of keys) {
    let element = parts.get(key);
    if (element === undefined) parts.set(key, (element = begin(key)));
    if (element === next) next = next.nextElementSibling;
    else parent.insertBefore(element, next);
  }
}

const STEP = 60; // items that come at once

// A list that may be long: as much of it is there as has been scrolled to, or asked for.
export class LongList {
  constructor(element, begin, update, called) {
    this.element = element;
    this.parts = new Map();
    this.shown = STEP;
    this.keys = [];
    this.begin = begin;
    this.update = update;
    this.called = called;
    this.more = make("button", { type: "button", class: "more", hidden: "" });
    this.more.addEventListener("click", () => this.grow());
    this.observer = new IntersectionObserver(entries => { if (entries.some(entry => entry.isIntersecting)) this.grow(); }, { rootMargin: "400px" });
    this.observer.observe(this.more);
  }

  set(keys) {
    this.keys = keys;
    this.draw();
  }

  grow() {
    if (this.shown >= this.keys.length) return;
    this.shown += STEP;
    this.draw();
    this.observer.unobserve(this.more); // so that it tells again, if it is still in sight
    this.observer.observe(this.more);
  }

  draw() {
    const keys = this.keys.slice(0, this.shown);
    arrange(this.element, this.parts, keys, this.begin);
    for (const key of keys) this.update(key, this.parts.get(key));
    const left = this.keys.length - keys.length;
    this.more.hidden = left === 0;
    setText(this.more, `${left.toLocaleString("en")} more ${this.called}`);
  }
}
