// The stream of /api/events. It comes again by itself after an end, with Last-Event-ID; after a refusal it is asked for anew.

const AGAIN = 3000; // milliseconds
const HIDDEN = 60000; // milliseconds out of sight after which the place is left to others

export class Feed {
  // heard: called after each message; told: with "live", "waiting" or "refused".
  constructor(model, heard, told) {
    this.model = model;
    this.heard = heard;
    this.told = told;
    this.source = null;
    this.timer = 0;
    document.addEventListener("visibilitychange", () => this.seen());
    this.open();
  }

  open() {
    clearTimeout(this.timer);
    this.close();
    const source = this.source = new EventSource("/api/events");
    source.addEventListener("begin", () => this.model.begin());
    source.addEventListener("change", event => {
      this.model.change(JSON.parse(event.data));
      if (this.model.coming === null) this.heard();
    });
    source.addEventListener("history", event => this.model.newest.figures.before(JSON.parse(event.data)));
    source.addEventListener("figures", event => this.model.newest.figures.take(JSON.parse(event.data)));
    source.addEventListener("complete", () => {
      this.model.complete();
      this.heard();
      this.told("live");
    });
    source.addEventListener("open", () => { if (this.model.coming === null && this.model.now.summary) this.told("live"); });
    source.addEventListener("error", () => this.failed(source));
  }

  failed(source) {
    const refused = source.readyState === EventSource.CLOSED;
    this.told(refused ? "refused" : "waiting");
    if (refused) this.timer = setTimeout(() => this.open(), AGAIN);
  }

  close() {
    this.source?.close();
    this.source = null;
  }

  seen() {
    clearTimeout(this.timer);
    if (document.hidden) this.timer = setTimeout(() => this.close(), HIDDEN);
    else if (this.source === null || this.source.readyState === EventSource.CLOSED) this.open();
  }
}
