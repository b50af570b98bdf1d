// npm `@microsoft/fetch-event-source`: node fetch_event_source.mjs URL
// It is made for browsers; what it wants of one is there in Node, but for the name `window`.
import { load, report, reportTimers } from "./report.mjs";

globalThis.window = globalThis;
globalThis.document = { hidden: false, addEventListener() {}, removeEventListener() {} };
reportTimers();
const { fetchEventSource } = load("@microsoft/fetch-event-source");
await fetchEventSource(process.argv[2], {
  onmessage: (e) => report({ type: e.event || "message", id: e.id, data: e.data }),
  onclose: () => {
    throw new Error("closed"); // its way to ask for a reconnection after the stream's end
  },
  onerror: (error) => report({ closed: false, why: error.message }),
});
