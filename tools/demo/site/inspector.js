// The inspector: the events as they came, the state of the connection, and the proof that a cut
// loses nothing and repeats nothing.
import { byId, decimal, duration, parseJson, throttled, timeOfDay, withQuery } from "./dom.js";
import { Rows } from "./rows.js";
import { SequenceCheck, parseId } from "./sequence.js";

const PROBE_ID = "00000000-1"; // of a hub that never was
const PROBE_MS = 5000;

// What a gap means, in words; `seen`: the time of the last event before it.
function gapWords(gap, newId, seen) {
  const asked = gap.last_event_id || "(none)";
  if (gap.reason === "expired") {
    return (
      `Events after ${asked} are no longer kept by the hub, so some are gone; how many, it ` +
      "cannot say. The stream goes on with the oldest event that it keeps."
    );
  }
  if (gap.reason === "slow") {
    return (
      "This page read too slowly and was moved on to the newest event. What lay between is gone " +
      "for this page."
    );
  }
  const before = parseId(asked);
  const now = parseId(newId);
  if (before && now && before.epoch !== now.epoch) {
    return (
      `The hub was started anew (epoch ${before.epoch} → ${now.epoch}), and what the old one ` +
      `kept went with it: events published after ${seen} and before the restart are gone, how ` +
      "many cannot be known. Everything that the new one keeps follows."
    );
  }
  return (
    `The hub does not know the id ${asked}: events may be missing, how many cannot be known. ` +
    "Everything that it keeps follows."
  );
}

function showGap(text) {
  byId("inspector-gap-words").textContent = text;
  byId("inspector-gap").hidden = false;
}

// Asks with an id that the hub cannot know, on a connection of its own, so that this page's stream
// stays as it is.
function probe(streams) {
  const query = { stream: streams(), last_event_id: PROBE_ID };
  const source = new EventSource(withQuery("/events", query));
  const timer = setTimeout(() => source.close(), PROBE_MS);
  source.addEventListener("gap", (event) => {
    clearTimeout(timer);
    source.close();
    const words = gapWords(parseJson(event.data) ?? {}, "", "");
    showGap(`Asked with ${PROBE_ID}, which never was, the hub answered ${event.data}. ${words}`);
  });
}

class Inspector {
  #stream;
  #check = new SequenceCheck();
  #rows = new Rows();
  #lastSeen = "";
  #opens = 0;
  #outage = null; // words, caught up, and the counters when it ended
  #draw = throttled(() => this.#drawNow());

  constructor(stream) {
    this.#stream = stream;
    stream.observe((event, info) => this.#arrived(event, info));
    stream.watch(() => this.#stateChanged());
    byId("inspector-cut").addEventListener("click", () => this.#cut());
  }

  otherStreams() {
    this.#check.otherStreams();
  }

  #arrived(event, info) {
    const { type } = info;
    const { lastEventId: id, data } = event;
    const json = parseJson(data);
    const repeated = this.#check.see(id, type, json);
    // The hub's greeting and its gap are of this connection, not caught up from before it.
    const own = type === "gap" || type === "connected";
    const caught = info.caughtUp && this.#stream.reconnects > 0 && !own;
    const kind = type === "gap" ? "gap" : repeated ? "repeated" : caught ? "caught" : "";
    const time = timeOfDay();
    if (caught && this.#outage) this.#outage.caught += 1;
    if (type === "gap") showGap(`${time} · ${gapWords(json ?? {}, id, this.#lastSeen)}`);
    this.#lastSeen = time;
    this.#rows.add({ id, type, data, json, info, received: Date.now(), time, kind });
    this.#draw();
  }

  #stateChanged() {
    const { state, opens, reconnects, lastOutageMs, lastId } = this.#stream;
    if (state === "open" && opens > this.#opens && reconnects > 0) {
      const { missed, repeated, gaps } = this.#check;
      const words = `Away for ${duration(lastOutageMs)}, came back with ${lastId || "no id"}.`;
      this.#outage = { words, caught: 0, missed, repeated, gaps };
    }
    this.#opens = opens;
    this.#draw();
  }

  #drawNow() {
    const stream = this.#stream;
    const { missed, repeated, gaps } = this.#check;
    const facts = {
      "inspector-state": stream.state,
      reconnects: decimal(stream.reconnects),
      "inspector-last-id": stream.lastId || "–",
      "inspector-events": decimal(stream.events),
      "inspector-missed": decimal(missed),
      "inspector-repeated": decimal(repeated),
      "inspector-gaps": decimal(gaps),
      "inspector-outage": duration(stream.lastOutageMs),
    };
    for (const [id, text] of Object.entries(facts)) byId(id).textContent = text;
    // After a gap the number is only the least that is gone, so it is no good news even as 0.
    byId("inspector-missed").className = missed || gaps ? "bad" : "good";
    byId("inspector-repeated").className = repeated ? "bad" : "good";
    if (!this.#outage) return;
    const before = this.#outage;
    const gap = gaps > before.gaps;
    this.#report(
      `${before.words} Caught up: ${before.caught}, ` +
        `missed: ${gap ? "at least " : ""}${missed - before.missed}, ` +
        `repeated: ${repeated - before.repeated}${gap ? "; the hub told of a gap (below)" : ""}.`,
    );
  }

  // Written only when it changes: it is read out.
  #report(text) {
    const report = byId("inspector-report");
    if (report.textContent !== text) report.textContent = text;
  }

  #cut() {
    const button = byId("inspector-cut");
    const ms = Number(byId("inspector-cut-seconds").value) * 1000;
    const until = performance.now() + ms;
    this.#outage = null;
    this.#report(`Cut at ${this.#stream.lastId || "the start"}; the hub goes on without it …`);
    this.#stream.cut(ms);
    const tick = () => {
      const left = Math.ceil((until - performance.now()) / 1000);
      button.textContent = left > 0 ? `Cut – back in ${left} s` : "Cut the connection";
      button.disabled = left > 0;
      if (left > 0) setTimeout(tick, 200);
    };
    tick();
  }
}

// `streams()`: the names of those that are read. The result is to be called when they have changed.
export function startInspector(stream, streams) {
  const inspector = new Inspector(stream);
  byId("inspector-probe").addEventListener("click", () => probe(streams));
  return () => inspector.otherStreams();
}
