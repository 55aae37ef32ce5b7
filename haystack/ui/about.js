// Haystack itself: version, engines, other Haystacks, listeners, workers; and the containers that no service has.

import { LongList, arrange, make, setAttribute, setText } from "./dom.js";
import { moment, span } from "./words.js";

export class About {
  constructor() {
    this.facts = make("dl", { class: "facts" });
    this.engines = make("ul", { class: "engines" });
    this.peers = make("ul", { class: "engines", "aria-label": "Other Haystacks" });
    this.parts = { facts: new Map(), engines: new Map(), peers: new Map() };
    this.element = make("section", { "aria-labelledby": "about" }, make("h2", { id: "about" }, "This Haystack"), this.engines, this.peers, this.facts);
  }

  update({ summary }) {
    if (!summary) return;
    this.drawEngines(summary);
    this.drawPeers(summary.peers);
    const facts = new Map(Object.entries(factsOf(summary)));
    arrange(this.facts, this.parts.facts, [...facts.keys()], name => make("div", {}, make("dt", {}, name), make("dd")));
    for (const [name, text] of facts) setText(this.parts.facts.get(name).lastChild, text);
  }

  drawEngines(summary) {
    const sources = Object.entries(summary.sources);
    arrange(this.engines, this.parts.engines, sources.map(([name]) => name), row);
    for (const [name, source] of sources) {
      const [pill, title, told] = this.parts.engines.get(name).children;
      const engine = summary.engines[source.engine] ?? {};
      setAttribute(pill, "data-standing", source.connected ? "in" : "out");
      setText(pill, source.connected ? "connected" : "lost");
      setText(title, name);
      const since = source.since > 0 ? `for ${span(Date.now() / 1000 - source.since)}` : "";
      setText(told, [source.error ?? "", engine.version ? `Docker ${engine.version}` : "", engine.address ?? "", since].filter(Boolean).join(" · "));
      setAttribute(told, "title", moment(source.since));
    }
  }

  drawPeers(peers) {
    this.peers.hidden = peers.length === 0;
    arrange(this.peers, this.parts.peers, peers.map(peer => peer.name), row);
    for (const peer of peers) {
      const [pill, title, told] = this.parts.peers.get(peer.name).children;
      const place = peer.address?.includes(":") ? `[${peer.address}]:${peer.port}` : `${peer.address}:${peer.port}`;
      const names = peer.up ? `in ${peer.names.toLocaleString("en")} ${peer.names === 1 ? "name" : "names"} of DNS` : "in no name of DNS";
      const error = peer.last_error ? `${peer.up ? "last error: " : ""}${peer.last_error}` : "";
      const since = peer.since > 0 ? `for ${span(Date.now() / 1000 - peer.since)}` : "";
      setAttribute(pill, "data-standing", peer.up ? "in" : "out");
      setText(pill, peer.up ? "up" : "out");
      setText(title, `Haystack ${peer.name}`);
      setText(told, [peer.up ? "" : error, peer.address && place !== peer.name ? `asked at ${place}` : "", names, since, peer.up ? error : ""].filter(Boolean).join(" · "));
      setAttribute(told, "title", moment(peer.since));
    }
  }
}

function row() {
  return make("li", {}, make("span", { class: "pill" }), make("b"), make("span"));
}

function factsOf(summary) {
  const { major, minor, patch } = summary.version;
  return {
    version: `${major}.${minor}.${patch}`,
    origin: summary.origin,
    up: `for ${span(Date.now() / 1000 - summary.started)}`,
    snapshot: `${summary.snapshot.version}, made ${span(Date.now() / 1000 - summary.snapshot.created)} ago`,
    listeners: Object.entries(summary.listeners).map(([name, port]) => `${name} ${port}`).join(", "),
    workers: summary.workers.map(worker => `${worker.slot} ${worker.state}`).join(", "),
  };
}

export class Idle {
  constructor() {
    this.items = new Map();
    const list = make("ul", { class: "idle" });
    this.list = new LongList(list, () => make("li", {}, make("b"), make("span")), (key, element) => {
      const item = this.items.get(key);
      setText(element.firstChild, item.name);
      setText(element.lastChild, item.why);
    }, "containers");
    this.element = make("section", { "aria-labelledby": "idle" }, make("h2", { id: "idle" }, "Containers without a service"), list, this.list.more);
  }

  update(picture, matches) {
    this.items = picture.containers;
    const keys = [...picture.containers].filter(([, item]) => matches(`${item.name} ${item.dns}`.toLowerCase())).map(([key]) => key);
    this.element.hidden = keys.length === 0;
    this.list.set(keys);
  }
}
