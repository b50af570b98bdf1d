// Small figures as SVG. They accompany a number that is there as text, so they are hidden from
// screen readers. Positions are attributes, not styles: the page's policy forbids inline styles.
import { svg } from "./dom.js";

const WIDTH = 200;
const HEIGHT = 60;
const SQUARE = { viewBox: "0 0 100 100" };

const picture = (name, shape, ...children) =>
  svg("svg", { ...shape, class: name, "aria-hidden": "true" }, ...children);

// A line over an area: the newest `points` values, newest at the right.
export class Line {
  values = [];
  #points;
  #floor;
  #line = svg("path", { class: "line" });
  #area = svg("path", { class: "area" });
  #dot = svg("path", { class: "dot" }); // of no length: its round cap is not stretched

  // `floor`: a value that the scale always contains, so that noise does not look like a mountain.
  constructor(host, { points = 60, floor = undefined } = {}) {
    this.#points = points;
    this.#floor = floor;
    // Stretched to its place; the strokes keep their width (vector-effect, in the style sheet).
    const shape = { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none" };
    host.append(picture("chart", shape, this.#area, this.#line, this.#dot));
  }

  push(value) {
    if (!Number.isFinite(value)) return;
    this.values.push(value);
    if (this.values.length > this.#points) this.values.shift();
  }

  draw() {
    const values = this.values;
    if (values.length === 0) return;
    let low = Math.min(...values, this.#floor ?? Infinity);
    let high = Math.max(...values, this.#floor ?? -Infinity);
    if (high === low) [low, high] = this.#floor === low ? [low, low + 1] : [low - 1, high + 1];
    const step = (WIDTH - 8) / Math.max(1, values.length - 1);
    const x = (i) => (4 + i * step).toFixed(1);
    const y = (value) => (HEIGHT - 6 - ((value - low) / (high - low)) * (HEIGHT - 12)).toFixed(1);
    const path = values.map((value, i) => `${i ? "L" : "M"}${x(i)} ${y(value)}`).join("");
    const end = values.length - 1;
    this.#line.setAttribute("d", path);
    this.#area.setAttribute("d", `${path}L${x(end)} ${HEIGHT}L${x(0)} ${HEIGHT}Z`);
    this.#dot.setAttribute("d", `M${x(end)} ${y(values[end])}h0`);
  }
}

// Where something was: a path on a square, north up, scaled to what was seen.
export class Track {
  #points = [];
  #path = svg("path", { class: "line" });
  #dot = svg("circle", { r: 4, class: "here" });
  #start = svg("circle", { r: 2.5, class: "start" });

  constructor(host) {
    // Beyond the square, to the edges of a place that is not one.
    const all = Array.from({ length: 24 }, (_, i) => i * 20 - 180);
    const grid = all.map((at) => `M${at} -200V300M-200 ${at}H300`).join("");
    const lines = svg("path", { d: grid, class: "grid" });
    host.append(picture("track", SQUARE, lines, this.#path, this.#start, this.#dot));
  }

  push(lat, lng) {
    this.#points.push([lat, lng]);
    if (this.#points.length > 120) this.#points.shift();
  }

  draw() {
    if (this.#points.length === 0) return;
    // A degree of longitude is shorter than one of latitude by the cosine of the latitude.
    const shrink = Math.cos((this.#points[0][0] * Math.PI) / 180);
    const xs = this.#points.map(([, lng]) => lng * shrink);
    const ys = this.#points.map(([lat]) => -lat);
    const middle = (v) => (Math.min(...v) + Math.max(...v)) / 2;
    const extent = (v) => Math.max(...v) - Math.min(...v);
    const span = Math.max(extent(xs), extent(ys), 1e-4);
    const place = (value, center) => (50 + ((value - center) / span) * 80).toFixed(1);
    const at = xs.map((x, i) => [place(x, middle(xs)), place(ys[i], middle(ys))]);
    this.#path.setAttribute("d", at.map(([x, y], i) => `${i ? "L" : "M"}${x} ${y}`).join(""));
    for (const [mark, [x, y]] of [[this.#start, at[0]], [this.#dot, at.at(-1)]]) {
      mark.setAttribute("cx", x);
      mark.setAttribute("cy", y);
    }
  }
}

const turned = (degrees) => `rotate(${degrees.toFixed(1)} 50 50)`;

export class Clock {
  #hands = ["hour", "minute", "second"].map((name) => svg("path", { class: `hand ${name}` }));

  constructor(host) {
    const face = svg("circle", { cx: 50, cy: 50, r: 46, class: "face" });
    const marks = Array.from({ length: 12 }, (_, i) =>
      svg("path", { d: "M50 7V12", class: "mark", transform: turned(i * 30) }),
    );
    host.append(picture("clock", SQUARE, face, ...marks, ...this.#hands));
    const lengths = [24, 34, 38];
    this.#hands.forEach((hand, i) => hand.setAttribute("d", `M50 50V${50 - lengths[i]}`));
  }

  show(date) {
    const seconds = date.getUTCSeconds();
    const minutes = date.getUTCMinutes() + seconds / 60;
    const angles = [((date.getUTCHours() % 12) + minutes / 60) * 30, minutes * 6, seconds * 6];
    this.#hands.forEach((hand, i) => hand.setAttribute("transform", turned(angles[i])));
  }
}
