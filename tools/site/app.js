// Puts the page together: one stream of the hub's events for everything, side streams for what is
// in view, the theme.
import { byId, withQuery } from "./dom.js";
import { EventStream } from "./stream.js";
import { startChat } from "./chat.js";
import { startFeeds, startPing, startPrices } from "./feeds.js";
import { startInspector } from "./inspector.js";
import { startPublish } from "./publish.js";

let extraStreams = [];
const streams = () => ["events", ...extraStreams];
// The first time everything that is kept is asked for, so that the figures are not empty at first.
const hub = new EventStream((lastId) =>
  withQuery("/events", { stream: streams(), last_event_id: lastId || "earliest" }),
);
hub.listen("gap");

function showState() {
  hub.watch(({ state }) => {
    const pill = byId("connection-state");
    pill.textContent = state;
    pill.dataset.state = state;
  });
}

// A browser opens at most six HTTP/1.1 connections to a host, for all of its windows together. The
// two side streams are let go of while nobody sees their cards.
function onlyInView(section, stream) {
  let inView = false;
  const decide = () => {
    if (inView && document.visibilityState === "visible") stream.open();
    else stream.close();
  };
  new IntersectionObserver((entries) => {
    inView = entries.at(-1).isIntersecting;
    decide();
  }).observe(section);
  document.addEventListener("visibilitychange", decide);
}

function startStreamChoice() {
  byId("inspector-streams-form").addEventListener("submit", (submit) => {
    submit.preventDefault();
    const field = byId("inspector-streams");
    const names = new Set(field.value.split(",").map((name) => name.trim()));
    extraStreams = [...names].filter((name) => name && name !== "events");
    field.value = streams().join(", ");
    // One id resumes any number of streams: the hub's sequence is one for all.
    hub.cut(0);
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
startInspector(hub, streams);
startPublish(hub);
startChat();
startStreamChoice();
showTypes();
hub.open();

const prices = new EventStream(() => "/price");
const ping = new EventStream(() => "/sse");
startPrices(prices);
startPing(ping);
onlyInView(byId("live"), prices);
onlyInView(byId("live"), ping);
