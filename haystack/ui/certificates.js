// Certificates: a view of all of them, and which of them a host has.

import { LongList, make, setAttribute, setText } from "./dom.js";
import { compare } from "./endpoints.js";
import { count, moment, span } from "./words.js";

const COLUMNS = ["state", "names", "issuer", "time left", "source", "next renewal", "last error"];
const SOURCES = { acme: "ACME", folder: "folder", local: "own CA" };
const DAY = 86400;
const SOON = 0.1; // of the lifetime: who renews it by then has forgotten
const ORDER = ["bad", "warn", "well"];
const STANDING = { bad: "out", warn: "kept", well: "in" };

export const VIEW = "#/certificates";

// How one is: for its colour, its place, and a word.
export function grade(one, now = Date.now() / 1000) {
  if (one.not_after === null) return { level: "bad", word: "none yet" };
  if (one.not_after <= now) return { level: "bad", word: "expired" };
  if (one.not_before > now) return { level: "warn", word: "not yet valid" };
  if (one.last_error) return { level: "warn", word: "not renewed" };
  const late = one.not_after - now < (one.not_after - one.not_before) * SOON;
  return late && !(one.next_renewal > now) ? { level: "warn", word: "ends soon" } : { level: "well", word: "valid" };
}

export function left(one, now = Date.now() / 1000) {
  if (one.not_after === null) return "";
  const seconds = one.not_after - now;
  if (seconds <= 0) return `ended ${span(-seconds)} ago`;
  return seconds < 2 * DAY ? span(seconds) : `${Math.floor(seconds / DAY).toLocaleString("en")}\u00a0days`;
}

// The valid certificate that a host would be shown, the one that lasts longest; undefined: none. certificates: as the model has them.
export function covering(certificates, host, now = Date.now() / 1000) {
  const wildcard = `*.${host.slice(host.indexOf(".") + 1)}`;
  let found;
  for (const one of certificates.values()) {
    if (one.not_after === null || one.not_after <= now || one.not_before > now) continue;
    if ((one.names.includes(host) || one.names.includes(wildcard)) && !(found?.not_after >= one.not_after)) found = one;
  }
  return found;
}

// In a few words, for a host of a service; empty: there is nothing to say. own: it is a name under ORIGIN, which needs none.
export function told(picture, host, own) {
  if (!picture.summary?.listeners?.https) return "";
  const one = covering(picture.certificates, host);
  if (one) return `certificate of ${one.issuer}: ${left(one)} left`;
  return own ? "" : "no certificate";
}

// What the list of problems says; what an authority refuses is among those of Haystack anyway.
export function problems(picture) {
  const found = [];
  for (const one of picture.certificates.values()) {
    const { level, word } = grade(one);
    if (level === "well" || (one.source === "acme" && word !== "expired")) continue;
    found.push({ level, name: one.names.join(", "), href: VIEW, text: `certificate ${word}${one.last_error ? `: ${one.last_error}` : ""}` });
  }
  return found;
}

export class Certificates {
  constructor() {
    this.items = new Map();
    this.heading = make("h1", {}, "Certificates");
    this.none = make("p", { class: "none" });
    const rows = make("div", { role: "rowgroup", class: "rows" });
    const head = make("div", { role: "row", class: "head" }, ...COLUMNS.map(name => make("div", { role: "columnheader" }, name)));
    this.table = make("div", { role: "table", class: "endpoints certificates", "aria-label": "certificates" }, make("div", { role: "rowgroup" }, head), rows);
    this.list = new LongList(rows, begin, (key, row) => fill(row, this.items.get(key)), "certificates");
    this.element = make("div", { class: "one" }, make("nav", { "aria-label": "back" }, make("a", { href: "#/" }, "All services")),
      make("article", { class: "service" }, this.heading, this.none, this.table, this.list.more));
  }

  update(picture, search) {
    const words = search.toLowerCase().split(/\s+/).filter(Boolean);
    this.items = picture.certificates;
    const found = [...this.items].filter(([, one]) => words.every(word => textOf(one).includes(word)));
    const graded = new Map(found.map(([key, one]) => [key, ORDER.indexOf(grade(one).level)]));
    found.sort(([a, one], [b, other]) => graded.get(a) - graded.get(b) || one.not_after - other.not_after || compare(a, b));
    setText(this.heading, words.length ? `Certificates: ${found.length} of ${this.items.size}` : "Certificates");
    setText(this.none, found.length ? "" : words.length ? "No certificate has these words." : "No certificates.");
    this.table.hidden = found.length === 0;
    this.list.set(found.map(([key]) => key));
  }
}

// The link to the view: how many there are, and how many have something wrong.
export function updateLink(element, picture) {
  const wrong = [...picture.certificates.values()].filter(one => grade(one).level !== "well").length;
  element.hidden = picture.certificates.size === 0;
  setText(element, `${count(picture.certificates.size, "certificate")}${wrong ? `, ${count(wrong, "problem")}` : ""}`);
}

function textOf(one) {
  return [...one.names, one.issuer ?? "", SOURCES[one.source], one.last_error ?? "", grade(one).word].join(" ").toLowerCase();
}

function begin() {
  const row = make("div", { role: "row" }, ...COLUMNS.map(name => make("div", { role: "cell", class: name.replace(" ", "-"), "data-called": name })));
  row.firstChild.append(make("span", { class: "pill" }));
  return row;
}

function fill(row, one) {
  const [state, names, issuer, time, source, renewal, error] = row.children;
  const { level, word } = grade(one);
  const now = Date.now() / 1000;
  setAttribute(row, "data-standing", STANDING[level]);
  setText(state.firstChild, word);
  setText(names, one.names.join(", "));
  setAttribute(names, "title", one.fingerprint ? `SHA-256 ${one.fingerprint}` : null);
  setText(issuer, one.issuer ?? "");
  setText(time, left(one, now));
  setAttribute(time, "title", one.not_after ? moment(one.not_after) : null);
  setText(source, SOURCES[one.source] ?? one.source);
  setText(renewal, one.next_renewal ? (one.next_renewal > now ? `in ${span(one.next_renewal - now)}` : "now") : "");
  setAttribute(renewal, "title", one.next_renewal ? moment(one.next_renewal) : null);
  setText(error, one.last_error ?? "");
}
