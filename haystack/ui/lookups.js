// Two questions to Haystack: which service answers a URL, and what DNS says of a name.

import { make } from "./dom.js";

const TYPES = ["A", "AAAA", "SRV", "PTR", "CNAME", "TXT", "MX", "NS", "SOA"];

export class Lookups {
  constructor() {
    this.origin = "";
    const url = make("input", { id: "explain-url", name: "url", autocomplete: "off", spellcheck: "false", required: "" });
    const name = make("input", { id: "dns-name", name: "name", autocomplete: "off", spellcheck: "false", required: "" });
    const type = make("select", { id: "dns-type", name: "type", "aria-label": "record type" }, ...TYPES.map(each => make("option", {}, each)));
    this.element = make("section", { "aria-labelledby": "lookups", class: "lookups" }, make("h2", { id: "lookups" }, "Look up"),
      box("Who answers this URL?", "explain-url", "/api/explain", "Explain", [url]),
      box("What does DNS say of this name?", "dns-name", "/api/dns", "Look up", [name, type]));
    this.fields = [url, name];
  }

  // Examples below the origin that this Haystack has.
  update(origin) {
    if (origin === this.origin) return;
    this.origin = origin;
    const [url, name] = this.fields;
    url.placeholder = `http://web.services.${origin}/`;
    name.placeholder = `web.services.${origin}`;
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
