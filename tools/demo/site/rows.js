// The inspector's table: a bounded number of events as they came, the newest first.
import { byId, decimal, duration, html, throttled } from "./dom.js";

const ROWS = 200;
const SUMMARY_MOST = 160;
const PRETTY_MOST = 20_000;
const FILTERED_MOST = 2000;

const encoder = new TextEncoder();

// The frame's size as the hub writes it: a `data:` line for each line.
function frameBytes({ id, type, data }) {
  const lines = data.replaceAll("\n", "\ndata: ");
  return encoder.encode(`id: ${id}\nevent: ${type}\ndata: ${lines}\n\n`).length;
}

// When the event says that it was made.
function madeAt({ data, json }) {
  const said = json === undefined ? data : (json?.Timestamp ?? json?.timestamp ?? json?.time);
  if (typeof said !== "string" || !/^\d{4}-\d\d-\d\dT/.test(said)) return null;
  return { ms: Date.parse(said), toTheSecond: !said.includes(".") };
}

function delayText(entry) {
  if (entry.info.caughtUp) return "kept"; // how long it waited at the hub is no delay
  const made = madeAt(entry);
  const delay = made ? Math.max(0, entry.received - made.ms) : NaN;
  if (made?.toTheSecond && delay < 1500) return "≤ 1 s";
  if (Number.isFinite(delay)) return duration(delay);
  return "–";
}

// An event that says no time has no delay that could be known. What is known is how long nothing
// came before it, which is the feed's pace and must not look like the hub's.
function delayCell(entry) {
  const text = delayText(entry);
  const { sincePrevious } = entry.info;
  if (text !== "–" || !Number.isFinite(sincePrevious)) {
    return html("td", { class: "number delay" }, text);
  }
  const title = "Its data says no time. So long was the pause since the event before.";
  return html("td", { class: "number delay muted", title }, `after ${duration(sincePrevious)}`);
}

function dataCell({ id, data, json }) {
  const whole = html("pre", { tabindex: "0" });
  const summary = html("summary", {}, data.slice(0, SUMMARY_MOST));
  const details = html("details", {}, summary, whole);
  details.addEventListener("toggle", () => {
    // Made when it is looked at: most rows never are.
    const pretty = json === undefined ? data : JSON.stringify(json, null, 2);
    const more = pretty.length - PRETTY_MOST;
    const cut = more > 0 ? `\n… ${decimal(more)} more characters` : "";
    whole.textContent = `id: ${id || "none"}\n${pretty.slice(0, PRETTY_MOST)}${cut}`;
  });
  return html("td", { class: "data" }, details);
}

// Said in words besides the colour.
const TAGS = { repeated: "repeated", caught: "caught up" };

function row(entry) {
  const { id, type, time, kind } = entry;
  const cell = (name, ...content) => html("td", { class: name }, ...content);
  const badge = html("span", { class: "badge", "data-type": type }, type);
  const tag = TAGS[kind] ? [html("span", { class: "tag" }, TAGS[kind])] : [];
  return html(
    "tr",
    { class: kind },
    cell("time", time),
    cell("id", id || "–"),
    cell("type", badge, ...tag),
    dataCell(entry),
    cell("number size", decimal(frameBytes(entry))),
    delayCell(entry),
  );
}

export class Rows {
  #body = byId("inspector-rows");
  #filter = byId("inspector-filter");
  #pause = byId("inspector-pause");
  #pending = [];
  #paused = false;
  #draw = throttled(() => this.#drawNow(), 200);

  constructor() {
    this.#filter.addEventListener("input", () => {
      for (const tr of this.#body.children) tr.hidden = !this.#matches(tr);
    });
    this.#pause.addEventListener("click", () => {
      this.#paused = !this.#paused;
      this.#pause.textContent = this.#paused ? "Resume" : "Pause";
      this.#draw();
    });
    byId("inspector-clear").addEventListener("click", () => {
      this.#pending = [];
      this.#body.replaceChildren();
    });
  }

  // `entry`: id, type, data, json (undefined: the data is none), info (see EventStream.listen),
  // received (ms), time (words), kind ("", "caught", "repeated" or "gap").
  add(entry) {
    this.#pending.push(entry);
    if (this.#pending.length > ROWS) this.#pending.shift();
    this.#draw();
  }

  #matches(tr) {
    return tr.dataset.text.includes(this.#filter.value.trim().toLowerCase());
  }

  #drawNow() {
    const count = this.#pending.length;
    if (this.#paused) {
      this.#pause.textContent = `Resume (${count}${count === ROWS ? " or more" : ""} new)`;
      return;
    }
    const fresh = this.#pending.map((entry) => {
      const tr = row(entry);
      const data = entry.data.slice(0, FILTERED_MOST);
      tr.dataset.text = `${entry.id} ${entry.type} ${data}`.toLowerCase();
      tr.hidden = !this.#matches(tr);
      return tr;
    });
    this.#pending = [];
    this.#body.prepend(...fresh.reverse());
    while (this.#body.childElementCount > ROWS) this.#body.lastElementChild.remove();
  }
}
