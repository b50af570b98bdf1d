// npm `eventsource`: node eventsource.mjs URL TYPE...
import { load, report, reportTimers } from "./report.mjs";

const { EventSource } = load("eventsource");
const [url, ...types] = process.argv.slice(2);
reportTimers();
const source = new EventSource(url);
source.onopen = () => report({ open: true });
source.onerror = (error) => report({ closed: source.readyState === 2, why: error.message ?? "" });
for (const type of ["message", ...types]) {
  source.addEventListener(type, (e) => report({ type: e.type, id: e.lastEventId, data: e.data }));
}
