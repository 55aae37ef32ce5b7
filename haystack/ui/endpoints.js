// The endpoints of one service, as a table that becomes a list of cards where there is no room.

import { LongList, make, setAttribute, setText } from "./dom.js";
import { milliseconds, perSecond } from "./sparkline.js";
import { STANDINGS, called, moment, place, why } from "./words.js";

const COLUMNS = ["state", "container", "address", "protocol", "weight", "load", "why"];
const LISTENERS = ["http", "http-alt"];
const ORDER = ["kept", "out", "gone", "awaited", "drained", "draining", "in"];

export class Endpoints {
  constructor(service) {
    this.service = service;
    const rows = make("div", { role: "rowgroup", class: "rows" });
    const head = make("div", { role: "row", class: "head" }, ...COLUMNS.map(name => make("div", { role: "columnheader", class: name }, name)));
    this.element = make("div", { role: "table", class: "endpoints" }, make("div", { role: "rowgroup" }, head), rows);
    this.list = new LongList(rows, () => begin(), (key, row) => this.fill(row, this.service.endpoints.get(key)), "endpoints");
    this.box = make("div", {}, this.element, this.list.more);
  }

  // keep: of an endpoint, whether it is to be seen.
  update(service, figures, keep = () => true) {
    this.service = service;
    this.figures = figures;
    this.most = Math.max(1, ...[...service.endpoints.keys()].map(id => figures.endpoints.get(id)?.[3] ?? 0));
    setAttribute(this.element, "aria-label", `endpoints of ${service.name}`);
    const found = [...service.endpoints.values()].filter(keep);
    found.sort((a, b) => ORDER.indexOf(a.standing) - ORDER.indexOf(b.standing) || compare(a.container_name, b.container_name) || compare(a.id, b.id));
    this.list.set(found.map(endpoint => endpoint.id));
  }

  fill(row, endpoint) {
    const [state, container, address, protocol, weight, load, reason] = row.children;
    setAttribute(row, "data-standing", endpoint.standing);
    setText(state.firstChild, STANDINGS[endpoint.standing]);
    setText(container, called(endpoint));
    setAttribute(container, "title", endpoint.id);
    setText(address, place(endpoint));
    setAttribute(address, "title", endpoint.address_reason);
    setText(protocol, spoken(endpoint));
    setText(weight, endpoint.share < 1 ? `${endpoint.weight} × ${endpoint.share.toFixed(2)}` : String(endpoint.weight));
    this.fillLoad(load, this.figures.endpoints.get(endpoint.id));
    setText(reason, why(endpoint, Date.now() / 1000));
    setAttribute(reason, "title", moment(endpoint.since));
  }

  // Requests a second, errors, latency, and a bar for those in flight.
  fillLoad(element, [requests, errors, p99, flying] = [0, 0, 0, 0]) {
    const [told, wrong, bar] = element.children;
    setText(told, requests || flying ? `${perSecond(requests)} · ${milliseconds(p99)}` : "");
    setText(wrong, errors ? `${perSecond(errors)} errors` : "");
    bar.hidden = !requests && !flying;
    setAttribute(bar, "aria-label", `${flying} in flight`);
    setAttribute(bar, "title", `${flying} in flight`);
    setAttribute(bar, "max", this.most);
    setAttribute(bar, "value", flying);
  }
}

function begin() {
  const row = make("div", { role: "row" }, ...COLUMNS.map(name => make("div", { role: "cell", class: name, "data-called": name })));
  row.firstChild.append(make("span", { class: "pill" }));
  row.querySelector(".load").append(make("span"), make("span", { class: "wrong" }), make("meter", { min: "0" }));
  return row;
}

// What its port is for, and how it is spoken to, where that is not HTTP/1.1 in plain text.
function spoken(endpoint) {
  if (endpoint.listener === null && endpoint.type !== "tcp") return `${endpoint.port_name}/${endpoint.type}`;
  if (endpoint.listener === null) return LISTENERS.includes(endpoint.port_name) ? `${endpoint.port_name}, not served` : endpoint.port_name;
  return endpoint.protocol === "http" ? endpoint.listener : `${endpoint.listener} (${endpoint.protocol})`;
}

export function compare(a, b) {
  return a < b ? -1 : a > b ? 1 : 0;
}
