#!/bin/bash
# Guess: a program that only listens to an EventSource runs until close(): the server ends the stream,
#   the EventSource says CONNECTING, waits for as long as `retry` says and asks again.
# Package: undici 7.30.2, eventsource 5.1.5 (npm)
# Seen 2026-11-29: with both that wait does not keep the process alive. It ends at the first cut, with
#   status 0 and without a word. With any timer of its own the same program comes back. (eventsource 4.1.1
#   waits and comes back.)
. "$(dirname "$(realpath "$0")")/lib"
from_npm undici@7.30.2 eventsource@5.1.5
cat >client.mjs <<'JS'
const [port, library, alive] = process.argv.slice(2);
const { EventSource } = await import(library);
if (alive) setInterval(() => {}, 1000);
const source = new EventSource(`http://127.0.0.1:${port}/`);
source.onmessage = ({ data }) => process.stdout.write(`${data} `);
source.onerror = () => process.stdout.write(`state ${source.readyState} `);
JS
cat >program.mjs <<'JS'
import { spawn } from "node:child_process";
import http from "node:http";

let requests = 0;
const server = http.createServer((request, response) => {
  response.writeHead(200, { "Content-Type": "text/event-stream" });
  response.write(`retry: 100\n\ndata: ${++requests}\n\n`);
  setTimeout(() => response.end(), 300);
});
await new Promise((done) => server.listen(0, "127.0.0.1", done));

// The client's status when it has ended; nothing: it came back twice and was stopped.
const run = async (...more) => {
  requests = 0;
  const client = spawn(process.execPath, ["--no-warnings", "client.mjs", server.address().port, ...more],
                       { stdio: "inherit" });
  const ended = new Promise((done) => client.on("exit", done));
  const stop = setInterval(() => requests > 2 && client.kill(), 100);
  const status = await ended;
  clearInterval(stop);
  console.log(`\n${more.join(" ")}: ${requests} requests, status ${status}`);
  return { requests, status };
};
let isSo = true;
for (const library of ["undici", "eventsource"]) {
  const alone = await run(library);
  const kept = await run(library, "with a timer");
  isSo &&= alone.requests === 1 && alone.status === 0 && kept.requests === 3;
}
console.log(isSo ? "still so" : "changed");
process.exit();
JS
judge node program.mjs
