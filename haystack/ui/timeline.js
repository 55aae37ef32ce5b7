// What happened: what Docker, health checks and operators did, and what followed. The newest is first.

import { LongList, make, setAttribute, setText } from "./dom.js";
import { moment } from "./words.js";

const TONES = {
  "endpoint.in": "good", "endpoint.returned": "good", "service.up": "good", "engine.back": "good", "engine.listed": "good", "haystack.started": "good",
  "endpoint.out": "warn", "endpoint.ejected": "bad", "container.died": "warn", "health.changed": "warn", "container.unserved": "warn",
  "service.down": "bad", "engine.lost": "bad", "worker.died": "bad",
};

export class Timeline {
  constructor() {
    this.entries = new Map();
    const list = make("ol", { class: "timeline" });
    this.list = new LongList(list, () => make("li", {}, make("time"), make("span", { class: "kind" }), make("span", { class: "told" })),
      (number, element) => this.fill(element, this.entries.get(number)), "events");
    this.heading = make("h2", { id: "timeline" }, "What happened");
    this.element = make("section", { "aria-labelledby": "timeline" }, this.heading, list, this.list.more);
  }

  // keep: of an entry, whether it is to be seen.
  update(picture, keep) {
    const found = picture.entries.filter(keep).reverse();
    this.entries = new Map(found.map(entry => [entry.number, entry]));
    this.element.hidden = found.length === 0;
    this.list.set([...this.entries.keys()]);
  }

  fill(element, entry) {
    const [time, kind, told] = element.children;
    const at = new Date(entry.time * 1000);
    setText(time, at.toLocaleTimeString("en-GB"));
    setAttribute(time, "datetime", at.toISOString());
    setAttribute(time, "title", moment(entry.time));
    setAttribute(element, "data-tone", entry.kind.startsWith("operator.") ? "blue" : TONES[entry.kind]);
    setText(kind, entry.kind);
    setText(told, sentenceOf(entry));
  }
}

// What an entry says: with the name of whom it is about, unless that stands in it as a word of its own.
export function sentenceOf(entry) {
  const named = !entry.about || entry.text.split(/[^\w.-]+/).includes(entry.about);
  return `${named ? "" : `${entry.about}: `}${entry.text}${entry.by ? ` (${entry.by})` : ""}`;
}

// The words of an entry, to search in.
export function wordsOf(entry) {
  return [entry.kind, entry.about, entry.id, entry.text, entry.by ?? "", ...entry.services].join(" ").toLowerCase();
}
