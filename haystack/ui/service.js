// One service: as a card in the overview, and as a view of its own.

import { covering, told } from "./certificates.js";
import { arrange, breakable, make, setAttribute, setText } from "./dom.js";
import { Endpoints } from "./endpoints.js";
import { fitted, judge } from "./model.js";
import { Charts } from "./sparkline.js";
import { count, link } from "./words.js";

const TOLD = { down: "nobody is in", panic: "kept in by panic", partly: "some are out", idle: "no HTTP", well: "well" };
const BAR = ["in", "kept", "awaited", "draining", "drained", "out", "gone"];

export function address(name) {
  return `#/service/${encodeURIComponent(name)}`;
}

export class ServiceCard {
  // level: of its heading; whole: it has the page for itself, and shows all.
  constructor(name, { level, whole }) {
    this.whole = whole;
    this.open = null;
    this.title = whole ? make("span", {}, ...breakable(name)) : make("a", { href: address(name) }, ...breakable(name));
    this.grade = make("span", { class: "grade" });
    this.bar = make("div", { class: "bar", "aria-hidden": "true" }, ...BAR.map(standing => make("i", { class: standing })));
    this.counts = make("span", { class: "counts" });
    this.hosts = make("ul", { class: "hosts", "aria-label": "hosts" });
    this.facts = make("p", { class: "facts" });
    this.hint = make("p", { class: "hint" });
    this.notes = make("ul", { class: "notes" });
    this.toggle = make("button", { type: "button", class: "toggle", "aria-expanded": "false" });
    this.toggle.addEventListener("click", () => { this.open = !this.opened; this.redraw(); });
    this.endpoints = null;
    this.charts = new Charts(whole ? 300 : 60);
    this.body = make("div", { class: "body" });
    const head = make("div", { class: "line" }, make(`h${level}`, {}, this.title), this.grade, this.bar, this.counts, ...(whole ? [] : [this.toggle]));
    this.element = make("article", { class: "service" }, head, this.hosts, this.facts, this.hint, this.notes, this.charts.element, this.body);
    this.element.card = this;
    this.parts = { hosts: new Map(), notes: new Map() };
  }

  // few: there are so few that all are shown unasked; keep: which of its endpoints are to be seen.
  update(service, picture, { few, keep, found }) {
    this.last = [service, picture, { few, keep, found }];
    const { counts, total, grade } = judge(service);
    this.opened = this.whole || (this.open ?? (few || found));
    setAttribute(this.element, "data-grade", grade);
    setText(this.grade, TOLD[grade]);
    BAR.forEach((standing, at) => { this.bar.children[at].style.flexGrow = String(counts[standing]); });
    const waiting = picture.figures.services.get(service.name)?.waiting ?? 0;
    setText(this.counts, `${fitted(counts, total)}${waiting ? ` · ${count(waiting, "request")} waiting` : ""}`);
    this.drawHosts(service, picture);
    this.drawNotes(service, picture);
    setText(this.hint, service.hint ?? "");
    setText(this.facts, this.whole ? facts(service) : "");
    this.charts.update(picture.figures, service.name);
    this.drawEndpoints(service, picture, keep);
  }

  redraw() {
    this.update(...this.last);
  }

  drawEndpoints(service, picture, keep) {
    setAttribute(this.toggle, "aria-expanded", String(this.opened));
    setText(this.toggle, this.opened ? "hide endpoints" : "show endpoints");
    setAttribute(this.toggle, "aria-label", `${this.opened ? "hide" : "show"} endpoints of ${service.name}`);
    if (!this.opened) {
      this.body.replaceChildren();
      this.endpoints = null;
      return;
    }
    if (this.endpoints === null) {
      this.endpoints = new Endpoints(service);
      this.body.append(this.endpoints.box);
    }
    this.endpoints.update(service, picture.figures, keep);
  }

  drawHosts(service, picture) {
    const claims = new Map([[`${service.name}${service.path ?? ""}`, { host: service.name, path: service.path, own: true, public: service.public, https: service.https }]]);
    for (const claim of service.hosts) claims.set(`${claim.host}${claim.path}`, claim);
    arrange(this.hosts, this.parts.hosts, service.http ? [...claims.keys()] : [], () => make("li"));
    for (const [key, element] of this.parts.hosts) drawHost(element, claims.get(key), picture, this.whole);
  }

  drawNotes(service, picture) {
    const notes = (picture.problems.get(service.name) ?? []).map(problem => `${problem.subject}: ${problem.message}`);
    arrange(this.notes, this.parts.notes, [...new Set(notes)], text => make("li", {}, text));
  }
}

function drawHost(element, claim, picture, whole) {
  const shown = `${claim.host}${claim.path && claim.path !== "/" ? claim.path : ""}`;
  const listeners = picture.summary?.listeners;
  const covered = !listeners?.https || covering(picture.certificates, claim.host) !== undefined; // without a listener, the TLS is another's before us
  const sealed = claim.https !== "off" && covered;
  const where = link(claim.host, claim.path, listeners, sealed);
  if (element.childElementCount === 0) element.append(where ? make("a", { rel: "noreferrer" }) : make("span"), " ", make("small"));
  setText(element.firstChild, where ? where.replace(/\/$/, "") : shown);
  if (where) setAttribute(element.firstChild, "href", where);
  const certificate = whole ? told(picture, claim.host, !claim.public) : "";
  setText(element.lastChild, [claim.public ? "public" : "", certificate].filter(Boolean).join(" · "));
  setAttribute(element, "data-certificate", certificate ? (certificate.startsWith("no") ? "none" : "there") : null);
}

function facts(service) {
  const told = [`balanced by ${service.balance}`];
  if (service.sticky) told.push(`sticky by cookie ${service.sticky}`);
  if (service.labelled.length) told.push(`by label: ${service.labelled.join(", ")}`);
  return told.join(" · ");
}
