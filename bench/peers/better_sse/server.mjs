// better-sse as its documentation uses it, on Node's own HTTP server: GET /events?stream=T,
// POST /publish?stream=T with text. node server.mjs PORT
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";

// The package lies in the folder that this is run from, not beside this file.
const { createChannel, createSession } = createRequire(join(process.cwd(), "x"))("better-sse");

const channels = new Map();
let number = 0;

function channelOf(topic) {
  if (!channels.has(topic)) channels.set(topic, createChannel());
  return channels.get(topic);
}

async function subscribe(request, response, topic) {
  // Text as it is: its default is JSON.stringify.
  const session = await createSession(request, response, { serializer: (data) => data });
  channelOf(topic).register(session);
}

function publish(request, response, topic) {
  const pieces = [];
  request.on("data", (piece) => pieces.push(piece));
  request.on("end", () => {
    channelOf(topic).broadcast(Buffer.concat(pieces).toString(), "message",
      { eventId: String(++number) });
    response.writeHead(204).end();
  });
}

const server = createServer((request, response) => {
  const url = new URL(request.url, "http://localhost");
  const topic = url.searchParams.get("stream") ?? "events";
  if (request.method === "GET" && url.pathname === "/events") {
    subscribe(request, response, topic);
  } else if (request.method === "POST" && url.pathname === "/publish") {
    publish(request, response, topic);
  } else {
    response.writeHead(404).end();
  }
});
server.keepAliveTimeout = 0;
server.listen(Number(process.argv[2]), "127.0.0.1", 4096);
