// Two questions to Haystack: which service answers a URL, and what DNS says of a name.

import { make } from "./dom.js";

const TYPES = ["A", "AAAA", "SRV", "PTR", "CNAME", "TXT", "MX", "NS", "SOA"];

export class Lookups {
  constructor() {
    const url = make("input", { id: "explain-url", name: "url", placeholder: "http://web.services.haystack/", autocomplete: "off", spellcheck: "false", required: "" });
    const name = make("input", { id: "dns-name", name: "name", placeholder: "web.services.haystack", autocomplete: "off", spellcheck: "false", required: "" });
    const type = make("select", { id: "dns-type", name: "type", "aria-label": "record type" }, ...TYPES.map(each => make("option", {}, each)));
    this.element = make("section", { "aria-labelledby": "lookups", class: "lookups" }, make("h2", { id: "lookups" }, "Look up"),
      box("Who answers this URL?", "explain-url", "/api/explain", "Explain", [url]),
      box("What does DNS say of this name?", "dns-name", "/api/dns", "Look up", [name, type]));
  }
}

function box(label, id, path, verb, fields) {
  const output = make("output", { for: id });
  const button = make("button", {}, verb);
  const form = make("form", {}, make("label", { for: id }, label), make("div", { class: "fields" }, ...fields, button), output);
  form.addEventListener("submit", event => {
    event.preventDefault();
    ask(path, new FormData(form), output, button);
  });
  return form;
}

async function ask(path, fields, output, button) {
  button.disabled = true;
  try {
    const answer = await fetch(`${path}?${new URLSearchParams(fields)}`, { cache: "no-store" });
    const told = await answer.json();
    output.replaceChildren(make("pre", { tabindex: "0" }, answer.ok ? told.lines.join("\n") : told.error));
  } catch (problem) {
    output.replaceChildren(make("pre", { tabindex: "0" }, `no answer: ${problem.message}`));
  } finally {
    button.disabled = false;
  }
}
