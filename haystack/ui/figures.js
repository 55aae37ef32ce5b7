// Requests, errors and latency: of services by second, of endpoints as they were last told. What is not told of a second was nothing.

const KEPT = 300; // seconds

// One service's last seconds.
class History {
  constructor() {
    this.rows = [new Float32Array(KEPT), new Float32Array(KEPT), new Float32Array(KEPT)]; // requests, errors, milliseconds
    this.last = 0;
    this.waiting = 0;
  }

  put(second, [requests, errors, p99, waiting = 0]) {
    for (let passed = Math.max(this.last + 1, second - KEPT + 1); passed < second; passed += 1) this.set(passed, [0, 0, 0]);
    this.set(second, [requests, errors, p99]);
    this.last = second;
    this.waiting = waiting;
  }

  set(second, values) {
    values.forEach((value, at) => { this.rows[at][second % KEPT] = value; });
  }

  // Of one kind, so many seconds up to this one, the oldest first.
  read(kind, second, length) {
    return Array.from({ length }, (_, at) => {
      const moment = second - length + 1 + at;
      return moment > this.last || moment <= this.last - KEPT ? 0 : this.rows[kind][moment % KEPT];
    });
  }
}

export class Figures {
  constructor() {
    this.services = new Map();
    this.endpoints = new Map(); // id → [requests and errors a second, milliseconds, in flight]
    this.second = 0;
    this.at = 0;
  }

  // What was before: rows of [name, second, requests, errors, milliseconds].
  before(rows) {
    for (const [name, second, requests, errors, p99] of rows) {
      const history = this.of(name);
      requests.forEach((value, at) => history.put(second - requests.length + 1 + at, [value, errors[at], p99[at]]));
    }
  }

  take({ second, services, endpoints }) {
    for (const [name, row] of Object.entries(services)) this.of(name).put(second, row);
    for (const [id, row] of Object.entries(endpoints)) {
      if (row.some(Boolean)) this.endpoints.set(id, row);
      else this.endpoints.delete(id);
    }
    if (second > this.second) [this.second, this.at] = [second, performance.now()];
  }

  of(name) {
    let found = this.services.get(name);
    if (found === undefined) this.services.set(name, (found = new History()));
    return found;
  }

  // The newest second: told, or passed in silence since.
  get now() {
    return this.second + Math.max(0, Math.floor((performance.now() - this.at) / 1000) - 1);
  }
}
