#!/bin/bash
# Guess: an EventSource whose server is away for a while tries again until it is back, as the standard
#   says of network errors. Its `error` event with readyState 0 (CONNECTING) says that it will.
# Package: undici 6.29.1 (npm; the EventSource of Node.js 20 is undici's)
# Seen 2026-11-29: it comes back after the end of a stream, but one refused connection ends it for good:
#   the error event says readyState 0, then it is 2 (CLOSED) without a further event.
. "$(dirname "$(realpath "$0")")/lib"
from_npm undici@6.29.1
cat >program.mjs <<'JS'
import net from "node:net";
import process from "node:process";
import { EventSource } from "undici";

const head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nretry: 50\n\n";
let connections = 0;
const sockets = new Set();
const server = net.createServer((socket) => {
  ++connections;
  sockets.add(socket);
  socket.on("error", () => {});
  socket.once("data", () => socket.write(`${head}data: ${connections}\n\n`));
});
const listen = (port) => new Promise((done) => server.listen(port, "127.0.0.1", done));
const endStreams = () => {
  for (const socket of sockets) socket.end();
  sockets.clear();
};
const later = (ms) => new Promise((done) => setTimeout(done, ms));
const eventually = async (condition) => {
  for (let i = 0; i < 300 && !condition(); ++i) await later(100);
  return condition();
};

await listen(0);
const { port } = server.address();
const source = new EventSource(`http://127.0.0.1:${port}/`);
let messages = 0;
const states = [];  // in the error event
source.onmessage = () => ++messages;
source.onerror = () => states.push(source.readyState);

const check = (what, truth) => {
  console.log(`${what}: ${truth}`);
  return truth;
};
await eventually(() => messages === 1);
endStreams();
const returns = check("comes back after the end of a stream", await eventually(() => messages === 2));

const before = states.length;
const closed = new Promise((done) => server.close(done));
endStreams();
await closed;
await eventually(() => states.length >= before + 2);  // the end of the stream, a refused connection
await later(1000);
await listen(port);
await later(3000);
const says = check("says CONNECTING in every error event", states.every((state) => state === 0));
const isOver = check("is closed, and asks no more", source.readyState === 2 && connections === 2);
console.log(returns && says && isOver ? "still so" : "changed");
process.exit();
JS
judge node --no-warnings program.mjs
