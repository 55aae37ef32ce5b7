// What is known, by the messages of /api/events. A state that is told anew takes the old one's place when it is complete.

import { Figures } from "./figures.js";
import { count } from "./words.js";

const ENTRIES = 500; // that are kept

class Picture {
  constructor() {
    this.summary = null;
    this.services = new Map(); // name → { ...row, endpoints: id → row }
    this.containers = new Map(); // those without a service
    this.problems = new Map(); // about → its problems
    this.certificates = new Map(); // source and key → as /api/certificates has them
    this.figures = new Figures();
    this.entries = []; // of the journal, the newest last
  }

  apply([kind, key, value]) {
    if (kind === "summary") this.summary = value;
    else if (kind === "service") this.service(key, value);
    else if (kind === "endpoint") this.endpoint(key, value);
    else if (kind === "container") put(this.containers, key, value);
    else if (kind === "problems") put(this.problems, key, value);
    else if (kind === "certificate") put(this.certificates, key, value);
    else if (kind === "entry") this.entry({ ...value, number: key });
  }

  entry(value) {
    this.entries.push(value);
    if (this.entries.length > ENTRIES) this.entries.shift();
  }

  service(name, value) {
    if (value === null) this.services.delete(name);
    else this.services.set(name, { ...value, endpoints: this.services.get(name)?.endpoints ?? new Map() });
  }

  endpoint(key, value) {
    const [name, id] = key.split(" ");
    const service = this.services.get(name);
    if (service) put(service.endpoints, id, value);
  }
}

function put(map, key, value) {
  if (value === null) map.delete(key);
  else map.set(key, value);
}

export class Model {
  constructor() {
    this.now = new Picture();
    this.coming = null; // while it is told
  }

  begin() {
    this.coming = new Picture();
  }

  change(rows) {
    for (const row of rows) this.newest.apply(row);
  }

  get newest() {
    return this.coming ?? this.now;
  }

  complete() {
    this.now = this.newest;
    this.coming = null;
  }
}


// How a service is, for its colour and its place: the worst first.
export const GRADES = ["down", "panic", "partly", "idle", "well"];

export function judge(service) {
  const counts = { in: 0, kept: 0, awaited: 0, draining: 0, drained: 0, out: 0, gone: 0 };
  let total = 0;
  const every = !onListener(service); // else these alone count: as model/readiness.py has it
  for (const endpoint of service.endpoints.values()) {
    if (!every && endpoint.listener === null) continue;
    counts[endpoint.standing] += 1;
    total += 1;
  }
  let grade = "well";
  if (counts.in + counts.kept === 0) grade = "down";
  else if (counts.kept) grade = "panic";
  else if (counts.out + counts.awaited + counts.gone) grade = "partly";
  else if (!service.http) grade = "idle";
  return { counts, total, grade };
}

function onListener(service) {
  for (const endpoint of service.endpoints.values()) if (endpoint.listener !== null) return true;
  return false;
}

// How many of so many are in, and how many of these by panic: their places in the counts of judge.
export function fitted(counts, total) {
  return `${counts.in.toLocaleString("en")} of ${count(total, "endpoint")} in${counts.kept ? `, ${counts.kept.toLocaleString("en")} by panic` : ""}`;
}
