// better-sse as its documentation uses it, on Node's own HTTP server: GET /events?stream=T,
// POST /publish?stream=T with text; DELETE /events?stream=T ends its streams.
// node server.mjs PORT [--replay]
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";

// The package lies in the folder that this is run from, not beside this file.
const { createChannel, createSession } = createRequire(join(process.cwd(), "x"))("better-sse");

const replay = process.argv.includes("--replay"); // keep events for clients that come back
const topics = new Map();
let number = 0;

function topicOf(name) {
  if (!topics.has(name)) {
    topics.set(name, { channel: createChannel(), responses: new Set(), kept: [] });
  }
  return topics.get(name);
}

async function subscribe(request, response, topic) {
  // Text as it is: its default is JSON.stringify.
  const session = await createSession(request, response, { serializer: (data) => data });
  const at = topic.kept.findIndex((event) => event.id === session.lastId);
  for (const { data, id } of at < 0 ? [] : topic.kept.slice(at + 1)) {
    session.push(data, "message", id);
  }
  topic.channel.register(session);
  topic.responses.add(response);
  response.on("close", () => topic.responses.delete(response));
}

function publish(request, response, topic) {
  const pieces = [];
  request.on("data", (piece) => pieces.push(piece));
  request.on("end", () => {
    const [data, id] = [Buffer.concat(pieces).toString(), String(++number)];
    if (replay) topic.kept.push({ data, id });
    topic.channel.broadcast(data, "message", { eventId: id });
    response.writeHead(204).end();
  });
}

const server = createServer((request, response) => {
  const url = new URL(request.url, "http://localhost");
  const topic = topicOf(url.searchParams.get("stream") ?? "events");
  if (request.method === "GET" && url.pathname === "/events") {
    subscribe(request, response, topic);
  } else if (request.method === "POST" && url.pathname === "/publish") {
    publish(request, response, topic);
  } else if (request.method === "DELETE" && url.pathname === "/events") {
    for (const stream of topic.responses) stream.end();
    response.writeHead(204).end();
  } else {
    response.writeHead(404).end();
  }
});
server.keepAliveTimeout = 0;
server.listen(Number(process.argv[2]), "127.0.0.1", 4096);
