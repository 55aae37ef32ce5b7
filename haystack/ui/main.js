// Puts the page together: the feed fills the model, and each frame shows what has changed, in the view that the address names.

import { Certificates, VIEW, updateLink } from "./certificates.js";
import { setAttribute, setText } from "./dom.js";
import { Feed } from "./feed.js";
import { Model, fitted, judge } from "./model.js";
import { Overview, ServiceView } from "./overview.js";
import { count } from "./words.js";

const STATES = { live: "live", waiting: "connection lost, trying again", refused: "refused: too many pages are open, or Haystack restarts" };
const AGES = 1000; // milliseconds between two looks at what changes with time alone

const model = new Model();
const overview = new Overview();
const certificates = new Certificates();
const main = document.getElementById("main");
const search = document.getElementById("search");
const live = document.getElementById("live");
let view = null;
let asked = false;

function later() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(draw);
}

function draw() {
  asked = false;
  if (!model.now.summary) return;
  view.update(model.now, search.value);
  const { text, panicked } = counts(model.now);
  const shown = document.getElementById("counts");
  setText(shown, text);
  setAttribute(shown, "data-state", panicked ? "warn" : null);
  updateLink(document.getElementById("certificates"), model.now);
}

function counts(picture) {
  const sums = { in: 0, kept: 0 };
  let endpoints = 0;
  for (const service of picture.services.values()) {
    const found = judge(service);
    endpoints += found.total;
    sums.in += found.counts.in;
    sums.kept += found.counts.kept;
  }
  const parts = [count(picture.services.size, "service"), fitted(sums, endpoints), count(picture.summary.containers, "container")];
  return { text: parts.join(" · "), panicked: sums.kept > 0 };
}

function told(state) {
  setAttribute(live, "data-state", state);
  setText(live, STATES[state]);
}

function named() {
  try {
    return decodeURIComponent(location.hash.match(/^#\/service\/(.+)$/)?.[1] ?? "");
  } catch {
    return ""; // a percent sign that stands for nothing
  }
}

function go(event) {
  if (event && location.hash && !location.hash.startsWith("#/")) return; // a place in this view
  const name = named();
  view = name ? new ServiceView(name) : location.hash === VIEW ? certificates : overview;
  document.title = name || view === certificates ? `${name || "Certificates"} · Haystack` : "Haystack";
  main.replaceChildren(view.element);
  if (event) {
    scrollTo(0, 0);
    main.focus({ preventScroll: true });
  }
  draw();
}

search.addEventListener("input", later);
addEventListener("hashchange", go);
go();
new Feed(model, later, told);
setInterval(later, AGES);
