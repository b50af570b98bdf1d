// Building elements, words for numbers and times, requests. Text from events goes into text nodes
// only, never through an HTML parser: an event's data is whatever a publisher sent.

export const byId = (id) => document.getElementById(id);

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

export const html = (tag, attributes = {}, ...children) =>
  fill(document.createElement(tag), attributes, children);

export const svg = (tag, attributes = {}, ...children) =>
  fill(document.createElementNS(SVG, tag), attributes, children);

// Calls `draw` soon, once for any number of calls, at most every `ms`: a hub can send thousands of
// events per second, a screen and its reader cannot take them.
export function throttled(draw, ms = 150) {
  let last = -Infinity;
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    setTimeout(
      () => {
        waiting = false;
        last = performance.now();
        draw();
      },
      Math.max(0, last + ms - performance.now()),
    );
  };
}

// Adds to a list of bounded length and keeps the reader's place: it follows the end only if the
// reader was at the end.
export function appendBounded(list, item, most) {
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  list.append(item);
  while (list.childElementCount > most) list.firstElementChild.remove();
  if (atEnd) list.scrollTop = list.scrollHeight;
}

export function parseJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

// --- words ---

const two = (n) => String(n).padStart(2, "0");

export function timeOfDay(date = new Date()) {
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

export const decimal = (value, digits = 0) =>
  Number.isFinite(value)
    ? value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits })
    : "–";

export function bytes(value) {
  if (!Number.isFinite(value)) return "–";
  const units = ["B", "KB", "MB", "GB", "TB"];
  let unit = 0;
  for (; value >= 1000 && unit < units.length - 1; ++unit) value /= 1000;
  return `${decimal(value, unit === 0 || value >= 100 ? 0 : 1)} ${units[unit]}`;
}

export function duration(ms) {
  if (!Number.isFinite(ms)) return "–";
  if (ms < 10) return `${decimal(ms, 1)} ms`;
  if (ms < 999.5) return `${decimal(ms)} ms`;
  return ms < 60_000 ? `${decimal(ms / 1000, 1)} s` : `${decimal(ms / 60_000, 1)} min`;
}

// --- requests ---

export function withQuery(path, parameters) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of [value].flat()) if (one) query.append(name, one);
  }
  // A blank as %20: not everybody reads "+" as one.
  const text = query.toString().replaceAll("+", "%20");
  return text ? `${path}?${text}` : path;
}

// What went wrong, as the hub says it: problem+json has a detail and often the field.
async function problemOf(answer) {
  const problem = parseJson(await answer.text()) ?? {};
  const words = problem.detail || answer.statusText || "no detail given";
  return { field: problem.field ?? "", detail: words, message: describe(problem, words) };
}

const describe = (problem, words) => (problem.field ? `${problem.field}: ${words}` : words);

// Sends and reports; never throws. A browser opens at most six HTTP/1.1 connections to a host and
// streams hold theirs, so a request of one page too many waits without an error: hence the limit.
export async function send(url, options = {}) {
  const started = performance.now();
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(8000), ...options });
    const result = { ok: answer.ok, status: answer.status, ms: performance.now() - started };
    result.id = answer.headers.get("Event-ID") ?? "";
    if (!answer.ok) result.problem = await problemOf(answer);
    return result;
  } catch (error) {
    const detail =
      error.name === "TimeoutError"
        ? "no answer within 8 s. Is this page open in several windows? A browser opens at most " +
          "six connections to a host, and every stream holds one."
        : "the hub does not answer";
    return { ok: false, status: 0, id: "", problem: { field: "", detail, message: detail } };
  }
}
