// The cards of the live feeds: what each event type means and how it is drawn. Data that does not
// have the expected form is left out of its card; the inspector shows it as it came.
import { appendBounded, byId, bytes, decimal, duration, html } from "./dom.js";
import { parseJson, throttled, timeOfDay } from "./dom.js";
import { Clock, Line, Track } from "./charts.js";

const LOG_MOST = 60;
const USERS_MOST = 12;
const SYMBOLS = ["AAPL", "AMZN"];
const METRICS_MS = 5000;
const PUBLISHED = "hub_events_published";
const DELIVERED = "hub_deliveries";

const show = (id, text) => {
  byId(id).textContent = text;
};

// A card's handler that gets parsed data and draws at a pace that can be watched.
function onJson(stream, type, take, draw) {
  const soon = throttled(draw);
  stream.listen(type, (event) => {
    const data = parseJson(event.data);
    if (data === undefined || data === null || take(data) === false) return;
    soon();
  });
}

function clock(stream) {
  const face = new Clock(byId("tick-clock"));
  stream.listen("tick", (event) => {
    const at = new Date(event.data);
    if (Number.isNaN(at.getTime())) return;
    face.show(at);
    show("tick-time", at.toISOString().slice(11, 19));
    show("tick-date", `${at.toISOString().slice(0, 10)} UTC`);
  });
}

function stock(stream) {
  const line = new Line(byId("stock-chart"), { points: 80 });
  let symbol = "";
  onJson(
    stream,
    "stock",
    (data) => {
      if (!Number.isFinite(data.price)) return false;
      symbol = String(data.symbol ?? "");
      line.push(data.price);
    },
    () => {
      const values = line.values;
      const last = values.at(-1);
      show("stock-symbol", symbol);
      show("stock-price", decimal(last, 2));
      showChange(byId("stock-change"), last, values.at(-2));
      const [low, high] = [Math.min(...values), Math.max(...values)];
      show("stock-range", `low ${decimal(low, 2)} · high ${decimal(high, 2)}`);
      line.draw();
    },
  );
}

// An arrow besides the colour: not everybody tells green from red.
function showChange(element, value, before) {
  const change = value - before;
  const percent = (change / before) * 100;
  element.textContent = Number.isFinite(percent)
    ? `${change > 0 ? "▲" : change < 0 ? "▼" : "="} ${decimal(Math.abs(percent), 2)} %`
    : "";
  element.className = `change ${change > 0 ? "up" : change < 0 ? "down" : ""}`;
}

function score(stream) {
  let now = {};
  onJson(
    stream,
    "score",
    (data) => {
      now = data;
    },
    () => {
      show("score-home", decimal(now.home));
      show("score-away", decimal(now.away));
    },
  );
}

function position(stream) {
  const track = new Track(byId("location-track"));
  let now = {};
  onJson(
    stream,
    "location",
    (data) => {
      if (!Number.isFinite(data.lat) || !Number.isFinite(data.lng)) return false;
      now = data;
      track.push(data.lat, data.lng);
    },
    () => {
      show("location-lat", now.lat.toFixed(4));
      show("location-lng", now.lng.toFixed(4));
      track.draw();
    },
  );
}

function progress(stream) {
  let percent = 0;
  onJson(
    stream,
    "progress",
    (data) => {
      const value = typeof data === "number" ? data : data.percent;
      if (!Number.isFinite(value)) return false;
      percent = Math.min(100, Math.max(0, value));
    },
    () => {
      byId("progress-bar").value = percent;
      show("progress-percent", `${decimal(percent)} %`);
    },
  );
}

function users(stream) {
  const known = new Map(); // name -> status, the newest last
  onJson(
    stream,
    "userupdate",
    ({ username, status }) => {
      if (typeof username !== "string") return false;
      known.delete(username);
      known.set(username, String(status ?? ""));
      if (known.size > USERS_MOST) known.delete(known.keys().next().value);
    },
    () => {
      const items = [...known].map(([name, status]) => {
        const kind = status === "online" ? "online" : "";
        return html("li", { class: kind }, name, html("span", { class: "muted" }, status));
      });
      byId("userupdate-list").replaceChildren(...items.reverse());
    },
  );
}

function update(stream) {
  let now = {};
  onJson(
    stream,
    "update",
    (data) => {
      now = data;
    },
    () => {
      show("update-id", `#${now.id ?? "–"}`);
      show("update-data", String(now.data ?? ""));
    },
  );
}

// Texts of all kinds, in the order in which they came.
function log(stream) {
  const list = byId("log-list");
  let pending = [];
  const draw = throttled(() => {
    for (const { type, text, time } of pending) {
      const badge = html("span", { class: "badge", "data-type": type }, type);
      const words = html("span", { class: "text" }, text);
      appendBounded(list, html("li", {}, html("time", {}, time), badge, words), LOG_MOST);
    }
    pending = [];
  });
  for (const type of ["connected", "message", "system", "notification"]) {
    stream.listen(type, (event, { caughtUp }) => {
      const time = caughtUp ? "earlier" : timeOfDay();
      pending.push({ type, text: event.data.slice(0, 500), time });
      if (pending.length > LOG_MOST) pending.shift();
      draw();
    });
  }
}

// A counter is drawn as its rate: a total that only grows is a ramp.
function rateOf(key) {
  let before = NaN;
  return (data, ms) => {
    const rate = (data[key] - before) / (ms / 1000);
    before = data[key];
    return rate >= 0 ? rate : NaN; // less than before: the hub is a new one
  };
}

const percent = (value) => `${decimal(value, 1)} %`;
const bytesPerSecond = (value) => `${bytes(value)}/s`;
const perSecond = (value) => `${decimal(value, 1)} /s`;
const of = (value) => `of ${bytes(value)}`;
const all = (value) => `${decimal(value)} in all`;
const loopback = (data) => `(loopback ${bytesPerSecond(data.loopback_bytes_per_s)})`;

// Title, the value in an event's data, its words, a note.
const TILES = [
  ["CPU", (data) => data.cpu_percent, percent],
  ["Memory", (data) => data.memory_used_bytes, bytes, (data) => of(data.memory_total_bytes)],
  ["Load, 1 min", (data) => data.load1, (value) => decimal(value, 2)],
  ["Hub: streams", (data) => data.hub_streams, decimal],
  ["Received", (data) => data.network_received_bytes_per_s, bytesPerSecond, loopback],
  ["Sent", (data) => data.network_sent_bytes_per_s, bytesPerSecond],
  ["Hub: published", rateOf(PUBLISHED), perSecond, (data) => all(data[PUBLISHED])],
  ["Hub: delivered", rateOf(DELIVERED), perSecond, (data) => all(data[DELIVERED])],
];

function tile([title, valueOf, words, noteOf = () => ""]) {
  const note = html("span");
  const value = html("dd", {}, "–");
  const chart = html("dd");
  const line = new Line(chart, { floor: 0 });
  byId("metrics-tiles").append(html("div", {}, html("dt", {}, title, " ", note), value, chart));
  return {
    take: (data, ms) => line.push(valueOf(data, ms)),
    draw(data) {
      value.textContent = words(line.values.at(-1));
      note.textContent = noteOf(data);
      line.draw();
    },
  };
}

function metrics(stream) {
  const tiles = TILES.map(tile);
  let now = {};
  let before = { at: NaN, caughtUp: false };
  const draw = throttled(() => tiles.forEach((one) => one.draw(now)));
  stream.listen("metrics", (event, info) => {
    const data = parseJson(event.data);
    if (typeof data !== "object" || data === null) return;
    now = data;
    // Caught-up events come all at once; they were made at the feed's pace.
    const ms = info.caughtUp || before.caughtUp ? METRICS_MS : info.at - before.at;
    before = info;
    for (const one of tiles) one.take(data, ms);
    draw();
  });
}

export function startFeeds(stream) {
  for (const feed of [clock, stock, score, position, progress, users, update, log, metrics]) {
    feed(stream);
  }
}

// `/price`: the event's type is the symbol, its data the price.
export function startPrices(stream) {
  const rows = new Map();
  const draw = throttled(() => {
    for (const row of rows.values()) {
      const values = row.line.values;
      row.price.textContent = decimal(values.at(-1), 2);
      showChange(row.change, values.at(-1), values[0]);
      row.line.draw();
    }
  }, 400);
  for (const symbol of SYMBOLS) {
    stream.listen(symbol, (event) => {
      const price = Number(event.data);
      if (!Number.isFinite(price)) return;
      if (!rows.has(symbol)) rows.set(symbol, priceRow(symbol));
      rows.get(symbol).line.push(price);
      draw();
    });
  }
}

function priceRow(symbol) {
  const chart = html("td", { class: "spark" });
  const price = html("td", { class: "number" });
  const row = { price, change: html("span"), line: new Line(chart) };
  const name = html("th", { scope: "row" }, symbol);
  const change = html("td", { class: "number" }, row.change);
  byId("price-rows").append(html("tr", { "data-symbol": symbol }, name, chart, row.price, change));
  return row;
}

// `/sse`: a beat; drawn is how regular it arrives.
export function startPing(stream) {
  const line = new Line(byId("ping-chart"), { points: 40, floor: 0 });
  const draw = throttled(() => line.draw());
  stream.listen("ping", (event, info) => {
    show("ping-data", event.data.slice(0, 80));
    if (!Number.isFinite(info.sincePrevious)) return;
    line.push(info.sincePrevious);
    show("ping-interval", duration(info.sincePrevious));
    draw();
  });
}
