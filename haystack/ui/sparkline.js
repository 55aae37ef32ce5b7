// A small chart of a figure's last seconds, with the newest value in words.

import { make, makeSvg, setAttribute, setText } from "./dom.js";

const HEIGHT = 24;

export class Sparkline {
  // told: a value as people read it; tall: with its highest value, for a view of its own.
  constructor(name, told, { seconds, kind }) {
    this.told = told;
    this.seconds = seconds;
    this.name = name;
    this.value = make("b");
    this.area = makeSvg("path", { class: "area" });
    this.line = makeSvg("path", { class: "line", "vector-effect": "non-scaling-stroke" });
    this.svg = makeSvg("svg", { viewBox: `0 0 ${seconds - 1} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" }, this.area, this.line);
    this.most = make("small");
    this.element = make("div", { class: `spark ${kind}` }, make("span", { class: "name" }, name), this.value, this.svg, this.most);
  }

  update(values, newest) {
    const most = Math.max(...values);
    const scale = most > 0 ? (HEIGHT - 2) / most : 0;
    const points = values.map((value, at) => `${at},${(HEIGHT - 1 - value * scale).toFixed(1)}`).join("L");
    setAttribute(this.line, "d", `M${points}`);
    setAttribute(this.area, "d", `M0,${HEIGHT}L${points}L${values.length - 1},${HEIGHT}Z`);
    setText(this.value, this.told(newest));
    setText(this.most, `at most ${this.told(most)} in ${this.seconds < 100 ? `${this.seconds} s` : `${this.seconds / 60} min`}`);
    setAttribute(this.svg, "aria-label", `${this.name}: ${this.value.textContent}, ${this.most.textContent}`);
    setAttribute(this.element, "data-none", most === 0);
  }
}

export function perSecond(value) {
  if (value > 0 && value < 0.1) return "<0.1/s";
  return value === 0 ? "0/s" : value < 10 ? `${value.toFixed(1)}/s` : `${Math.round(value).toLocaleString("en")}/s`;
}

export function milliseconds(value) {
  if (value === 0) return "–";
  if (value >= 1000) return `${(value / 1000).toFixed(1)} s`;
  return value < 10 ? `${value.toFixed(1)} ms` : `${Math.round(value)} ms`;
}

const AVERAGED = 5; // seconds

// The three charts of a service.
export class Charts {
  constructor(seconds) {
    this.seconds = seconds;
    this.parts = [
      new Sparkline("requests", perSecond, { seconds, kind: "requests" }),
      new Sparkline("errors", perSecond, { seconds, kind: "errors" }),
      new Sparkline("p99", milliseconds, { seconds, kind: "p99" }),
    ];
    this.element = make("div", { class: "charts" }, ...this.parts.map(part => part.element));
  }

  update(figures, name) {
    const history = figures.services.get(name);
    this.element.hidden = history === undefined;
    if (history === undefined) return;
    const now = figures.now;
    this.parts.forEach((part, kind) => {
      const values = history.read(kind, now, this.seconds);
      const newest = values.slice(-AVERAGED);
      part.update(values, kind === 2 ? Math.max(...newest) : newest.reduce((sum, value) => sum + value, 0) / AVERAGED);
    });
  }
}
