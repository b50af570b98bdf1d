#!/bin/bash
# Guess: when a client leaves in the middle of a response, a proxy ends its request to the server; at the
#   latest when there is more of the response, which it cannot deliver.
# Package: http-proxy 1.18.1 (npm; what webpack-dev-server 5 proxies with)
# Seen 2026-11-29: it goes on reading a response that nobody gets, for as long as the server sends. A
#   server of event streams keeps every page that was ever opened.
. "$(dirname "$(realpath "$0")")/lib"
from_npm http-proxy@1.18.1
cat >program.mjs <<'JS'
import http from "node:http";
import process from "node:process";
import httpProxy from "http-proxy";

const listen = (server) => new Promise((done) => server.listen(0, "127.0.0.1", () =>
  done(`http://127.0.0.1:${server.address().port}`)));
const later = (ms) => new Promise((done) => setTimeout(done, ms));

// Sends an event every 50 ms until its client leaves.
let events = 0;
let left = 0;
const server = http.createServer((_, response) => {
  response.writeHead(200, { "Content-Type": "text/event-stream" });
  const timer = setInterval(() => response.write(`data: ${++events}\n\n`), 50);
  response.on("close", () => {
    clearInterval(timer);
    ++left;
  });
});
const origin = await listen(server);
const proxy = httpProxy.createProxyServer({ target: origin });
const front = await listen(http.createServer((request, response) => proxy.web(request, response)));

// Whether the server is told, within 100 more events, that a client left after its first bytes.
const isTold = async (url) => {
  await new Promise((done, failed) => {
    const request = http.get(url, (response) => response.once("data", () => {
      request.destroy();
      done();
    }));
    request.on("error", failed);
  });
  const [leftBefore, last] = [left, events + 100];
  while (left === leftBefore && events < last) await later(50);
  return left > leftBefore;
};

const directly = await isTold(origin);
const byProxy = await isTold(front);
console.log(`the server is told that the client left: directly ${directly}, by the proxy ${byProxy}`);
console.log(directly && !byProxy ? "still so" : "changed");
process.exit();
JS
judge node --no-deprecation program.mjs
