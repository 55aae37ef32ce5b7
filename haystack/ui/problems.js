// What is wrong, first of all: Haystack itself, services that nobody serves, those in panic, and what is odd about labels and the like.

import { problems as ofCertificates } from "./certificates.js";
import { LongList, make, setAttribute, setText } from "./dom.js";
import { judge } from "./model.js";
import { address } from "./service.js";

const FIRST = 8; // shown before a person asks for all: the services come below
const RANK = { bad: 0, warn: 1, note: 2 };

export class Problems {
  constructor() {
    this.items = new Map();
    this.heading = make("h2", { id: "problems" });
    const list = make("ul", { class: "problems" });
    this.list = new LongList(list, () => make("li", {}, make("a"), make("span")), (key, element) => fill(element, this.items.get(key)), "problems");
    this.all = make("button", { type: "button", class: "more" });
    this.all.addEventListener("click", () => { this.whole = true; this.show(); });
    this.whole = false;
    this.element = make("section", { "aria-labelledby": "problems" }, this.heading, list, this.list.more, this.all);
  }

  update(picture) {
    const found = [...ofHaystack(picture), ...ofServices(picture), ...ofCertificates(picture), ...ofOthers(picture)];
    found.sort((a, b) => RANK[a.level] - RANK[b.level]);
    this.items = new Map(found.map(item => [`${item.name} ${item.text}`, item]));
    this.element.hidden = found.length === 0;
    setText(this.heading, found.length === 1 ? "1 problem" : `${found.length.toLocaleString("en")} problems`);
    this.show();
  }

  show() {
    const keys = [...this.items.keys()];
    this.all.hidden = this.whole || keys.length <= FIRST;
    setText(this.all, `Show all ${keys.length.toLocaleString("en")} problems`);
    this.list.set(this.all.hidden ? keys : keys.slice(0, FIRST));
  }
}

function fill(element, item) {
  setAttribute(element, "data-level", item.level);
  setText(element.firstChild, item.name);
  setAttribute(element.firstChild, "href", item.href);
  setText(element.lastChild, item.text);
}

function ofHaystack(picture) {
  const { unready, troubles, lost_peers } = picture.summary ?? { unready: [], troubles: [], lost_peers: [] };
  const told = (level, texts) => texts.map(text => ({ level, name: "Haystack", text }));
  return [...told("bad", unready), ...told("bad", troubles), ...told("warn", lost_peers)];
}

function ofServices(picture) {
  const found = [];
  for (const service of picture.services.values()) {
    const { grade, total } = judge(service);
    if (grade === "down") found.push(about(service.name, "bad", total === 1 ? "its only endpoint is not in" : `none of its ${total} endpoints is in`));
  }
  return found;
}

function ofOthers(picture) {
  const found = [];
  for (const [key, problems] of picture.problems) {
    for (const problem of problems) {
      const text = `${problem.subject}: ${problem.message}`;
      const service = picture.services.get(key);
      if (service) found.push(about(key, judge(service).grade === "panic" ? "warn" : "note", text));
      else found.push({ level: "note", name: problem.name || problem.about, text });
    }
  }
  return found;
}

function about(name, level, text) {
  return { level, name, href: address(name), text };
}
