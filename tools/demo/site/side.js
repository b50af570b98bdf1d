// Streams beside the main one. A browser opens at most six HTTP/1.1 connections to a host, for all
// of its windows together, and every stream holds one. So only one window at a time has these, and
// it lets go of them while nobody sees them or their place is needed.

const LOCK = "tocsin-side-streams";

export class SideStreams {
  #streams;
  #notice;
  #wanted = false;
  #asking = null; // aborts the wait for the other window
  #release = null; // gives them to the other window

  // `notice(state)`: "open", "waiting" (another window has them) or "closed".
  constructor(streams, notice) {
    this.#streams = streams;
    this.#notice = notice;
  }

  want(wanted) {
    if (wanted === this.#wanted) return;
    this.#wanted = wanted;
    if (wanted) this.#ask();
    else this.#stop();
  }

  #ask() {
    this.#notice("waiting");
    // Without locks (a page that is not of this machine and not https) every window has its own.
    if (!navigator.locks) {
      this.#open();
      return;
    }
    this.#asking = new AbortController();
    const { signal } = this.#asking;
    navigator.locks
      .request(LOCK, { signal }, () => {
        if (signal.aborted) return undefined;
        this.#open();
        return new Promise((release) => {
          this.#release = release;
        });
      })
      .catch(() => {}); // aborted: no longer wanted
  }

  #open() {
    for (const stream of this.#streams) stream.open();
    this.#notice("open");
  }

  #stop() {
    for (const stream of this.#streams) stream.close();
    this.#asking?.abort();
    this.#release?.();
    this.#asking = this.#release = null;
    this.#notice("closed");
  }
}
