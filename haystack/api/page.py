"""The page of /ui: one read-only HTML document that fetches /api and lists services with their endpoints.

Kept as text in a module, so that no packaging step can lose it. What containers are called is written by textContent
only, and the policy below lets nothing run or load but the page's own script: a name cannot become markup.
"""

from __future__ import annotations

import base64
import hashlib

STYLE = """
:root { color-scheme: light dark; font: 15px/1.45 system-ui, sans-serif }
body { margin: 2rem auto; max-width: 70rem; padding: 0 1rem }
h1 { margin: 0 } h2 { font-size: 1.1rem; margin: 1.6rem 0 .3rem }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid #8884; overflow-wrap: anywhere }
.out { opacity: .6 } .ready { color: #2a8a3e } .problem, #error { color: #c33 } small { opacity: .7 }
"""

SCRIPT = """
"use strict";
const make = (tag, text, kind) => {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (kind) element.className = kind;
  return element;
};
const row = (tag, texts) => { const tr = make("tr"); texts.forEach(text => tr.append(make(tag, text))); return tr; };
const called = (name, dns) => dns.split(".")[0] === name.toLowerCase() ? name : name + " (" + dns + ")";
const section = (name, endpoints) => {
  const box = make("section"), table = make("table");
  box.append(make("h2", name));
  table.append(row("th", ["endpoint", "address", "port", "listener", "weight", "container", "state"]));
  for (const e of endpoints) {
    const tr = row("td", [e.id, e.address, e.port + "/" + e.type + " " + e.port_name, e.listener || "", e.weight,
                          called(e.container_name, e.container_dns), (e.ready ? "ready" : "out") + ": " + e.reason]);
    tr.className = e.ready ? "" : "out";
    if (e.ready) tr.lastChild.className = "ready";
    table.append(tr);
  }
  if (endpoints[0].hint) box.append(make("p", endpoints[0].hint, "hint"));
  box.append(table);
  for (const p of endpoints[0].problems) box.append(make("p", p.subject + ": " + p.message, "problem"));
  return box;
};
const idle = containers => {
  const found = containers.filter(c => c.unserved && c.state === "running"), list = make("ul");
  if (!found.length) return [];
  for (const c of found) list.append(make("li", called(c.name, c.dns) + ": " + c.unserved));
  return [make("h2", "Containers without a service"), list];
};
const show = info => {
  const groups = new Map();
  for (const e of Object.values(info.services).flat()) {
    if (!groups.has(e.name)) groups.set(e.name, []);
    groups.get(e.name).push(e);
  }
  const v = info.version;
  document.getElementById("about").textContent = "version " + v.major + "." + v.minor + "." + v.patch +
    ", origin " + info.origin + ", snapshot " + info.snapshot.version + ", " +
    Object.keys(info.containers).length + " containers, " + groups.size + " services";
  document.getElementById("services").replaceChildren(
    ...Object.entries(info.sources).filter(([, source]) => !source.connected).map(([name, source]) =>
      make("p", name + (source.error ? " does not answer: " + source.error : " has not answered yet"), "problem")),
    ...(groups.size ? [...groups].sort().map(([name, list]) => section(name, list)) : [make("p", "No services yet.")]),
    ...idle(Object.values(info.containers)),
    ...info.problems.filter(p => !groups.has(p.about)).map(p =>
      make("p", (info.containers[p.about]?.name ?? p.about) + ": " + p.subject + ": " + p.message, "problem")));
};
const load = async () => {
  const error = document.getElementById("error");
  try {
    const answer = await fetch("/api/info", { cache: "no-store" });
    if (!answer.ok) throw new Error("HTTP " + answer.status);
    show(await answer.json());
    error.textContent = "";
  } catch (problem) { error.textContent = "Can't read /api/info: " + problem.message; }
};
load();
setInterval(load, 5000);
"""

PAGE = f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Haystack</title><style>{STYLE}</style></head>
<body><h1>Haystack</h1><small id="about"></small><p id="error"></p><main id="services"></main>
<p><small>Read only. <a href="/api/info">/api/info</a> <a href="/api/services">/api/services</a>
<a href="/api/containers">/api/containers</a> <a href="/api/networks">/api/networks</a> <a href="/metrics">/metrics</a></small></p>
<noscript>This page lists what /api/services tells, and needs scripts for it.</noscript>
<script>{SCRIPT}</script></body></html>
"""


def digest(text: str) -> str:
    """The hash by which a policy allows one inline element (CSP level 3, section 2.3.1)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; connect-src 'self'; style-src {digest(STYLE)}; "
    f"script-src {digest(SCRIPT)}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
