// The chat: one stream per name, messages by POST. The server checks the names.
import { appendBounded, byId, html, parseJson, send, timeOfDay, withQuery } from "./dom.js";
import { EventStream } from "./stream.js";

const LOG_MOST = 300;
const EVERYONE = "";

// While one is in the chat nobody else may write under one's name: the server knows this browser by
// the cookie.
function makeCookie() {
  if (/(^|; )tocsin_chat=/.test(document.cookie)) return;
  const random = [...crypto.getRandomValues(new Uint8Array(16))];
  const text = random.map((byte) => byte.toString(16).padStart(2, "0")).join("");
  document.cookie = `tocsin_chat=${text}; path=/; SameSite=Strict`;
}

class Chat {
  #log = byId("chat-log");
  #name = byId("chat-name");
  #message = byId("chat-message");
  #to = byId("chat-to");
  #stream = null;
  #me = "";

  #tell; // whether somebody is in the chat

  constructor(tell) {
    this.#tell = tell;
    byId("chat-join-form").addEventListener("submit", (submit) => {
      submit.preventDefault();
      if (this.#stream) this.#leave("You have left.");
      else this.#join();
    });
    byId("chat-form").addEventListener("submit", (submit) => {
      submit.preventDefault();
      this.#send();
    });
    this.#showJoined(false);
  }

  // --- coming and going ---

  #join() {
    this.#me = this.#name.value.trim();
    this.#complain("", "");
    makeCookie();
    const url = (lastId) =>
      withQuery("/chat/sse", { username: this.#me, presence: "1", last_event_id: lastId });
    // Refused at the first try is final; a server that comes back later is waited for.
    const stream = new EventStream(url, () => stream.opens === 0);
    for (const type of ["broadcast", "direct"]) {
      stream.listen(type, (event) => this.#said(type, parseJson(event.data)));
    }
    stream.listen("presence", (event) => this.#cameOrWent(parseJson(event.data)));
    stream.listen("gap", () => this.#line("event", "", "something is missing here"));
    this.#stream = stream;
    this.#tell(true);
    this.#name.disabled = true;
    byId("chat-join").textContent = "Cancel";
    stream.open();
    stream.watch(() => this.#stateChanged(stream));
  }

  #stateChanged(stream) {
    if (stream !== this.#stream) return; // left meanwhile
    if (stream.state === "open") {
      this.#showJoined(true);
      this.#state(`You are ${this.#me}.`);
      if (stream.opens > 1) this.#line("event", "", "connected again");
      else this.#message.focus();
    } else if (stream.state === "connecting") {
      this.#state(stream.opens === 0 ? "Joining …" : "Connection lost; coming back …");
    } else {
      this.#explainRefusal();
    }
  }

  // An EventSource does not say why it was refused; the same request by fetch does.
  async #explainRefusal() {
    this.#leave("");
    const stop = new AbortController();
    const url = withQuery("/chat/sse", { username: this.#me });
    const answer = await send(url, { signal: stop.signal });
    stop.abort(); // taken this time: nobody reads that stream
    if (answer.ok) this.#state("That did not work; try again.");
    else this.#complain(answer.problem.field || "username", answer.problem.detail);
  }

  #leave(words) {
    const left = this.#stream;
    this.#stream = null;
    left?.close();
    this.#tell(false);
    this.#showJoined(false);
    this.#state(words);
  }

  #showJoined(joined) {
    this.#name.disabled = joined;
    byId("chat-join").textContent = joined ? "Leave" : "Join";
    for (const field of [this.#message, this.#to, byId("chat-send")]) field.disabled = !joined;
    if (!joined) this.#present([], 0);
  }

  // --- what the server tells ---

  #said(type, said) {
    if (typeof said !== "object" || said === null) return;
    const { From: from = "", To: to = "", Message: text = "", Timestamp: at } = said;
    if (type === "broadcast") {
      this.#line(from === this.#me ? "mine" : "", from, text, at);
    } else if (from !== this.#me || to === from) {
      // One's own direct messages are written when the server has taken them (#send).
      this.#line("direct", `${from} → ${to}`, text, at);
    }
  }

  #cameOrWent(presence) {
    if (typeof presence !== "object" || presence === null) return;
    const { Type: type, From: from = "", Users: users, Count: count, Timestamp: at } = presence;
    this.#line("event", from, type, at);
    this.#present(Array.isArray(users) ? users.map(String) : [], count);
  }

  // `users`: of very many not all; `count`: all.
  #present(users, count) {
    const names = users.sort((a, b) => a.localeCompare(b));
    const me = this.#me;
    const items = names.map((name) =>
      html("li", { class: "online" }, name === me ? `${name} (you)` : name),
    );
    byId("chat-users").replaceChildren(...items);
    if (count > names.length) items.push(html("li", {}, `and ${count - names.length} more`));
    byId("chat-count").textContent = String(count);
    const option = (value, text) => html("option", { value }, text);
    const others = names.filter((name) => name !== me).map((name) => option(name, name));
    const chosen = this.#to.value;
    this.#to.replaceChildren(option(EVERYONE, "everyone"), ...others);
    // A recipient who has left must not turn a private message into one for everyone.
    if (chosen && !names.includes(chosen)) this.#to.append(option(chosen, `${chosen} (left)`));
    this.#to.value = chosen;
  }

  // --- what the person does ---

  async #send() {
    const text = this.#message.value;
    const to = this.#to.value;
    const path = to === EVERYONE ? "/chat/broadcast" : "/chat/direct";
    const query = { from: this.#me, message: text, to };
    const answer = await send(withQuery(path, query), { method: "POST" });
    if (!answer.ok) {
      this.#complain(answer.problem.field || "message", answer.problem.message);
      return;
    }
    this.#complain("", "");
    // The server sends a direct message to its recipient only.
    if (to !== EVERYONE) this.#line("direct mine", `${this.#me} → ${to}`, text);
    if (this.#message.value === text) this.#message.value = "";
    this.#message.focus();
  }

  #state(text) {
    byId("chat-state").textContent = text;
  }

  #complain(field, text) {
    const fields = { username: this.#name, from: this.#name, to: this.#to, message: this.#message };
    for (const one of Object.values(fields)) one.removeAttribute("aria-invalid");
    byId("chat-error").textContent = text;
    fields[field]?.setAttribute("aria-invalid", "true");
    fields[field]?.focus();
  }

  #line(kind, who, text, timestamp) {
    const said = new Date(timestamp ?? NaN);
    const at = Number.isNaN(said.getTime()) ? new Date() : said;
    const cell = (name, content) => html("span", { class: name }, String(content));
    const time = html("time", {}, timeOfDay(at));
    const line = html("li", { class: kind }, time, cell("who", who), cell("text", text));
    appendBounded(this.#log, line, LOG_MOST);
  }
}

// `tell(joined)` is called when the person comes and goes.
export function startChat(tell) {
  new Chat(tell);
}
