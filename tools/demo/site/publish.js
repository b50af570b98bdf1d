// The publish form: sends what is typed, shows the same as a curl line, says what the hub answered
// and how long the event took to come back to this page.
import { byId, duration, html, parseJson, send, withQuery } from "./dom.js";

const ROUND_TRIP_MS = 3000;

const SAMPLES = {
  message: "hello",
  notification: "Build 1042 passed",
  system: "ok",
  stock: '{"symbol":"ACME","price":130.5}',
  score: '{"home":3,"away":2}',
  progress: '{"percent":55}',
  location: '{"lat":31.2334,"lng":121.4757}',
  userupdate: '{"username":"john_doe","status":"online"}',
};

// In single quotes a shell takes everything as it is but the single quote.
const shellQuoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

// Shows the hub's answer, and at the field what is wrong with it.
async function publish(url, form, arrival) {
  const result = byId("publish-result");
  const fields = form.elements;
  for (const field of fields) field.removeAttribute("aria-invalid");
  result.className = "result";
  result.textContent = "Sending …";
  const started = performance.now();
  const headers = { "Content-Type": "text/plain" };
  const answer = await send(url, { method: "POST", headers, body: fields.data.value });
  result.className = answer.ok ? "result good" : "result bad";
  if (!answer.ok) {
    result.textContent = `${answer.status || "No answer"} · ${answer.problem.message}`;
    const name = answer.problem.field;
    const field = fields.namedItem(name === "body" ? "data" : name);
    field?.setAttribute("aria-invalid", "true");
    field?.focus();
    return;
  }
  const id = answer.id || "not told";
  const words = `${answer.status} · Event-ID ${id} · answered in ${duration(answer.ms)}`;
  result.textContent = words;
  arrival(answer.id, started).then((seen) => {
    if (result.textContent !== words) return; // another one was sent meanwhile
    result.textContent = seen
      ? `${words} · back on this page after ${duration(seen - started)}`
      : `${words} · not seen here: this page reads other streams (see the inspector)`;
  });
}

export function startPublish(stream) {
  const form = byId("publish-form");
  const fields = form.elements;
  const button = byId("publish-send");
  const arrivals = new Map(); // id -> when it was seen; bounded
  let wanted = null; // {id, then}

  stream.observe((event, info) => {
    arrivals.set(event.lastEventId, info.at);
    if (arrivals.size > 500) arrivals.delete(arrivals.keys().next().value);
    if (wanted?.id === event.lastEventId) wanted.then(info.at);
  });

  // When the event with this id was seen here; nothing after a while. The event may overtake the
  // answer to its own publishing, so those that were already seen are looked through first; not an
  // earlier one of that id.
  const arrival = (id, since) =>
    new Promise((then) => {
      if (arrivals.get(id) >= since) return then(arrivals.get(id));
      wanted = { id, then };
      setTimeout(then, ROUND_TRIP_MS);
    });

  const target = () =>
    withQuery("/publish", {
      stream: fields.stream.value.trim(),
      type: fields.type.value.trim(),
      id: fields.id.value.trim(),
    });

  const preview = () => {
    const url = location.origin + target();
    byId("publish-curl").textContent =
      `curl --data-raw ${shellQuoted(fields.data.value)} ${shellQuoted(url)}`;
    const data = fields.data.value.trim();
    const looksLikeJson = /^[[{]/.test(data);
    byId("publish-hint").textContent = !looksLikeJson
      ? "Sent as text."
      : parseJson(data) === undefined
        ? "Not valid JSON; it is sent as text all the same."
        : "Valid JSON, sent as it is.";
  };

  byId("types").append(...Object.keys(SAMPLES).map((type) => html("option", { value: type })));
  let sample = fields.data.value;
  fields.type.addEventListener("input", () => {
    const next = SAMPLES[fields.type.value.trim()];
    // What was typed is never overwritten, only a sample by another one.
    if (next !== undefined && fields.data.value === sample) fields.data.value = sample = next;
  });
  form.addEventListener("input", preview);

  form.addEventListener("submit", async (submit) => {
    submit.preventDefault();
    const type = fields.type.value.trim() || "message";
    // Listened for before it is sent: an EventSource drops types that nobody listens for.
    stream.listen(type);
    button.disabled = true;
    await publish(target(), form, arrival);
    button.disabled = false;
  });
  preview();
}
