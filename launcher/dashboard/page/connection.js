// The stream of events from the server. The browser connects again by itself, unless it is refused: then after a while.

const AGAIN_AFTER = 5000;    // ms
const SILENT_AFTER = 20000;  // ms: a connection that stands and brings nothing is none

class Connection {
  /** `takes` has a function for each kind of event; it gets what was sent. */
  constructor(takes) {
    this.takes = takes;
    this.heardAt = null;   // by performance.now(): the last message
    this.lostAt = null;    // since when there is no connection
    this.refused = false;  // somebody answers there, and wants another token
    this.over = false;
    this.open();
  }

  open() {
    this.source = new EventSource(`events${location.search}`);
    for (const [kind, take] of Object.entries(this.takes)) {
      this.source.addEventListener(kind, (event) => this.heard(() => take(JSON.parse(event.data))));
    }
    this.source.addEventListener('error', () => this.lost());
  }

  heard(take) {
    this.heardAt = performance.now();
    this.lostAt = null;
    this.refused = false;
    take();
  }

  lost() {
    this.lostAt ??= performance.now();
    if (this.over) this.source.close();
    if (this.over || this.source.readyState !== EventSource.CLOSED) return;
    this.askWhether();
    setTimeout(() => this.open(), AGAIN_AFTER);
  }

  /** An EventSource does not tell why it was refused. */
  async askWhether() {
    try {
      this.refused = (await fetch(location.href, {method: 'HEAD', cache: 'no-store'})).status === 403;
    } catch {
      this.refused = false;  // nobody answers
    }
  }

  /** The job has ended: a server that goes is not waited for. */
  end() {
    this.over = true;
  }

  /** For how many seconds there has been no connection; null while there is one, or the first is being made. */
  lostFor() {
    const now = performance.now();
    if (this.lostAt !== null) return (now - this.lostAt) / 1000;
    if (this.heardAt !== null && now - this.heardAt > SILENT_AFTER) return (now - this.heardAt) / 1000;
    return null;
  }
}
