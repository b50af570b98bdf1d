// Puts the page together: one stream for all that is published, side streams for what is in view,
// the theme.
import { byId, withQuery } from "./dom.js";
import { EventStream } from "./stream.js";
import { startChat } from "./chat.js";
import { startFeeds, startPing, startPrices } from "./feeds.js";
import { startInspector } from "./inspector.js";
import { startPublish } from "./publish.js";
import { SideStreams } from "./side.js";

// What /events reads where no stream is named.
const STREAMS = ["events", "updates", "notifications", "metrics"];

let streams = STREAMS;
// The first time everything that is kept is asked for, so that the figures are not empty at first.
const hub = new EventStream((lastId) =>
  withQuery("/events", {
    stream: streams === STREAMS ? [] : streams,
    last_event_id: lastId || "earliest",
  }),
);
hub.listen("gap");

function showState() {
  hub.watch(({ state }) => {
    const pill = byId("connection-state");
    pill.textContent = state;
    pill.dataset.state = state;
  });
}

// Prices and pings are read while their section is seen and the chat does not need the connections.
// The result is to be told when somebody joins or leaves the chat.
function startSideStreams() {
  const prices = new EventStream(() => "/price");
  const ping = new EventStream(() => "/sse");
  startPrices(prices);
  startPing(ping);
  let inView = false;
  let chatting = false;
  const side = new SideStreams([prices, ping], (state) => {
    const words = {
      open: "",
      waiting: "in another window",
      closed: chatting ? "paused while you chat" : "",
    };
    for (const place of document.querySelectorAll("[data-side-state]")) {
      place.textContent = words[state];
    }
  });
  const decide = () => side.want(inView && !chatting && document.visibilityState === "visible");
  new IntersectionObserver((entries) => {
    inView = entries.at(-1).isIntersecting;
    decide();
  }).observe(byId("live"));
  document.addEventListener("visibilitychange", decide);
  return (joined) => {
    chatting = joined;
    decide();
  };
}

function startStreamChoice(changed) {
  byId("inspector-streams").value = streams.join(", ");
  byId("inspector-streams-form").addEventListener("submit", (submit) => {
    submit.preventDefault();
    const field = byId("inspector-streams");
    const names = new Set(field.value.split(",").map((name) => name.trim()));
    names.delete("");
    streams = names.size > 0 ? [...names] : STREAMS;
    field.value = streams.join(", ");
    // One id resumes any number of streams: the hub's sequence is one for all.
    hub.cut(0);
    changed();
  });
  byId("inspector-type-form").addEventListener("submit", (submit) => {
    submit.preventDefault();
    const field = byId("inspector-type");
    const type = field.value.trim();
    if (!type) return;
    hub.listen(type);
    field.value = "";
    showTypes();
  });
}

function showTypes() {
  byId("inspector-types").textContent = hub.types.join(", ");
}

function startTheme() {
  const button = byId("theme");
  const root = document.documentElement;
  const systemIsDark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ?? (systemIsDark.matches ? "dark" : "light")) === "dark";
  const say = () => {
    button.setAttribute("aria-label", `Use the ${isDark() ? "light" : "dark"} theme`);
  };
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try {
      localStorage.setItem("theme", root.dataset.theme);
    } catch {
      // Storage is switched off: the choice holds for this page only.
    }
    say();
  });
  systemIsDark.addEventListener("change", say);
  say();
}

for (const element of document.querySelectorAll("[data-origin]")) {
  element.textContent = location.origin;
}
startTheme();
showState();
startFeeds(hub);
startStreamChoice(startInspector(hub, () => streams));
startPublish(hub);
showTypes();
hub.open();
startChat(startSideStreams());
