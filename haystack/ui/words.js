// Numbers, times and states as people read them.

const UNITS = [[86400, 3600, "d"], [3600, 60, "h"], [60, 0, "min"]]; // seconds in each, and in the next smaller one that is rounded

export const STANDINGS = {
  in: "in", kept: "kept in", awaited: "awaited", draining: "draining", drained: "drained", out: "out", gone: "gone",
};

// Of one that is in such a standing, or is back at a known time, the reason tells of a moment; else of a state that lasts.
const HAPPENED = new Set(["draining", "drained", "gone"]);

// Seconds: "4 s", "3.5 min", "2 h".
export function span(seconds) {
  for (const [size, smaller, unit] of UNITS) {
    if (seconds >= size - smaller / 20) return `${(seconds / size).toFixed(1).replace(/\.0$/, "")}\u00a0${unit}`;
  }
  return `${Math.max(0, Math.floor(seconds))}\u00a0s`;
}

export function count(number, word) {
  return `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;
}

// Why an endpoint is as it is, and since when. now: Unix seconds.
export function why(endpoint, now) {
  const age = span(now - endpoint.since);
  const happened = endpoint.until > 0 || HAPPENED.has(endpoint.standing);
  const since = endpoint.since > 0 ? (endpoint.standing === "in" ? ` for ${age}` : happened ? `, ${age} ago` : ` (for ${age})`) : "";
  const until = endpoint.until > 0 ? `, back in ${span(endpoint.until - now)}` : "";
  const unreachable = endpoint.unreachable ? ", unreachable" : "";
  return `${endpoint.reason}${since}${until}${unreachable}${overridden(endpoint, now)}`;
}

// What operators decided about it, beside the drain that is its reason.
function overridden(endpoint, now) {
  const rest = endpoint.overrides.slice(endpoint.standing === "drained" ? 1 : 0);
  return rest.map(each => {
    const what = each.weight === null ? `${each.kind} of ${each.name}` : `weight ${each.weight}`;
    return `; ${what} by ${each.by}${each.why ? `: ${each.why}` : ""}${each.until ? `, for ${span(each.until - now)} more` : ""}`;
  }).join("");
}

// A container as Docker calls it, with the name that it has in DNS where that is another.
export function called(endpoint) {
  const dns = endpoint.container_dns.split(".")[0];
  return dns === endpoint.container_name.toLowerCase() ? endpoint.container_name : `${endpoint.container_name} (${dns})`;
}

export function place(endpoint) {
  const address = endpoint.address || endpoint.address6 || "";
  return `${address.includes(":") ? `[${address}]` : address}:${endpoint.port}`;
}

export function moment(seconds) {
  return seconds > 0 ? new Date(seconds * 1000).toLocaleString() : "";
}

// Where a browser finds a host with its path; null where that is no one host. The listener's own port may be published as another one:
// the page's is right, unless the page has a listener of its own, or came over https and the host is not served over it. sealed: it is.
export function link(host, path, listeners, sealed) {
  if (host.startsWith("*.")) return null;
  const within = location.protocol === "https:";
  const scheme = within && sealed ? "https" : "http";
  const apart = (listeners && "admin" in listeners) || (within && !sealed);
  const port = apart ? String(listeners?.[scheme] ?? "") : location.port;
  return `${scheme}://${host}${port && port !== (scheme === "https" ? "443" : "80") ? `:${port}` : ""}${path || "/"}`;
}
