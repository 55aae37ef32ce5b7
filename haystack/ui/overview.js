// The first view: problems, services, what is beside them, and Haystack itself. A search leaves what has its words.

import { About, Idle } from "./about.js";
import { LongList, make, setText } from "./dom.js";
import { compare } from "./endpoints.js";
import { Lookups } from "./lookups.js";
import { GRADES, judge } from "./model.js";
import { Problems } from "./problems.js";
import { ServiceCard } from "./service.js";
import { Timeline, wordsOf } from "./timeline.js";

const FEW = 60; // endpoints that are shown unasked

export class Overview {
  constructor() {
    this.picture = null;
    this.search = "";
    this.problems = new Problems();
    this.heading = make("h2", { id: "services" }, "Services");
    const list = make("div", { class: "services" });
    this.list = new LongList(list, name => new ServiceCard(name, { level: 3 }).element, (name, element) => this.fill(name, element.card), "services");
    this.none = make("p", { class: "none" });
    this.idle = new Idle();
    this.lookups = new Lookups();
    this.timeline = new Timeline();
    this.about = new About();
    this.element = make("div", { class: "overview" }, make("h1", { class: "hidden" }, "Overview"), this.problems.element,
      make("section", { "aria-labelledby": "services" }, this.heading, this.none, list, this.list.more), this.idle.element,
      this.timeline.element, this.lookups.element, this.about.element);
  }

  update(picture, search) {
    this.picture = picture;
    this.words = search.toLowerCase().split(/\s+/).filter(Boolean);
    const all = [...picture.services.values()];
    this.few = all.reduce((sum, service) => sum + service.endpoints.size, 0) <= FEW;
    const found = this.words.length ? all.filter(service => this.of(service)) : all;
    const grades = new Map(found.map(service => [service.name, GRADES.indexOf(judge(service).grade)]));
    found.sort((a, b) => grades.get(a.name) - grades.get(b.name) || compare(a.name, b.name));
    this.problems.update(picture);
    setText(this.heading, this.words.length ? `Services: ${found.length} of ${all.length}` : "Services");
    setText(this.none, found.length ? "" : all.length ? "No service, host, container or address has these words." : "No services yet.");
    this.list.set(found.map(service => service.name));
    this.idle.update(picture, text => this.has(text));
    this.timeline.update(picture, entry => this.has(wordsOf(entry)));
    this.lookups.update(picture.summary.origin);
    this.about.update(picture);
  }

  fill(name, card) {
    const service = this.picture.services.get(name);
    const byName = this.has(named(service));
    const keep = this.words.length && !byName ? endpoint => this.has(`${named(service)} ${told(endpoint)}`) : undefined;
    card.update(service, this.picture, { few: this.few, keep, found: keep !== undefined });
  }

  has(text) {
    return this.words.every(word => text.includes(word));
  }

  of(service) {
    if (this.has(named(service))) return true;
    for (const endpoint of service.endpoints.values()) if (this.has(`${named(service)} ${told(endpoint)}`)) return true;
    return false;
  }
}

function named(service) {
  return [service.name, ...service.hosts.map(claim => `${claim.host}${claim.path}`)].join(" ").toLowerCase();
}

function told(endpoint) {
  const { container_name, container_dns, container, address, address6, port, standing, reason } = endpoint;
  return `${container_name} ${container_dns} ${container} ${address}:${port} ${address6 ?? ""} ${standing} ${reason}`.toLowerCase();
}

// The view of one service.
export class ServiceView {
  constructor(name) {
    this.name = name;
    this.gone = make("p", { class: "none" });
    this.timeline = new Timeline();
    this.card = new ServiceCard(name, { level: 1, whole: true });
    this.element = make("div", { class: "one" }, make("nav", { "aria-label": "back" }, make("a", { href: "#/" }, "All services")), this.card.element, this.gone, this.timeline.element);
  }

  update(picture, search) {
    const service = picture.services.get(this.name);
    this.card.element.hidden = !service;
    setText(this.gone, service ? "" : `There is no service ${this.name} now.`);
    this.timeline.update(picture, entry => entry.services.includes(this.name) || entry.about === this.name);
    const words = search.toLowerCase().split(/\s+/).filter(Boolean);
    if (service) this.card.update(service, picture, { keep: words.length ? endpoint => words.every(word => told(endpoint).includes(word)) : undefined });
  }
}
