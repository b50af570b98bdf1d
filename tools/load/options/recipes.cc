#include "tools/load/options/recipes.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "proto/assert.h"

namespace tocsin::load {
namespace {

// Servers of r3labs/sse, Hertz and better-sse have no paths of their own: these are the same as
// Tocsin's, and what a server of some ten lines that is written for a comparison should take.
constexpr PublishForm kTextForm{"/publish?stream={topic}", "text/plain", "{data}"};
constexpr std::string_view kTextTarget = "/events?stream={topic}";

constexpr std::array<Recipe, 8> kRecipes{{
    {.name = "tocsin",
     .note = "Tocsin itself. With --batch the events travel as NDJSON.",
     .example = "tocsin load broadcast http://127.0.0.1:8080 -n 10000",
     .subscribe_target = kTextTarget,
     .one = kTextForm,
     .many = {"/publish", "application/x-ndjson", "{\"stream\":\"{topic}\",\"data\":\"{data}\"}\n"},
     .counters_target = "/metrics"},
    {.name = "nchan",
     .note =
         "nginx with nchan: `location = /publish { nchan_publisher; nchan_channel_id "
         "$arg_stream; }`\n"
         "and `location = /events { nchan_subscriber eventsource; nchan_channel_id "
         "$arg_stream; }`.\n"
         "nchan_message_buffer_length bounds how far a subscriber may be behind; `replay` takes\n"
         "`nchan_subscriber_first_message oldest`.",
     .example = "tocsin load broadcast http://127.0.0.1:8080 --recipe nchan -n 10000",
     .subscribe_target = kTextTarget,
     .one = kTextForm},
    {.name = "mercure",
     .note = "A Mercure hub with anonymous subscribers. Publishing takes a JWT whose claim\n"
             "mercure.publish allows the topics.",
     .example = "tocsin load broadcast http://127.0.0.1:3000 --recipe mercure "
                "--publish-header 'Authorization: Bearer JWT'",
     .subscribe_target = "/.well-known/mercure?topic={topic}",
     .one = {"/.well-known/mercure", "application/x-www-form-urlencoded",
             "topic={topic}&data={data}"}},
    {.name = "centrifugo",
     .note = "Centrifugo's unidirectional SSE (uni_sse enabled, anonymous connections and their\n"
             "subscriptions allowed). It cannot resume: no Last-Event-ID, so what is published "
             "while\n"
             "a subscriber is away counts as lost, and `replay` does not work.",
     .example = "tocsin load broadcast http://127.0.0.1:8000 --recipe centrifugo "
                "--publish-header 'X-API-Key: KEY'",
     // cf_connect={"subs":{"{topic}":{}}}
     .subscribe_target = "/connection/uni_sse?cf_connect=%7B%22subs%22%3A%7B%22{topic}%22%3A%7B%7D"
                         "%7D%7D",
     .one = {"/api/publish", "application/json", R"({"channel":"{topic}","data":{"d":"{data}"}})"},
     .many = {"/api/batch", "application/json",
              R"({"publish":{"channel":"{topic}","data":{"d":"{data}"}}})", R"({"commands":[)", ",",
              "]}"},
     .can_resume = false},
    {.name = "r3labs",
     .note = "A Go server on r3labs/sse: GET /events?stream=TOPIC, POST /publish?stream=TOPIC with "
             "the\n"
             "event's data as text. With AutoReplay a reader that resumes gets its last event "
             "twice.",
     .example = "tocsin load broadcast http://127.0.0.1:8080 --recipe r3labs",
     .subscribe_target = kTextTarget,
     .one = kTextForm},
    {.name = "hertz",
     .note = "A Go server on hertz-contrib/sse, of the same shape as r3labs. The library keeps no\n"
             "history: it cannot resume unless the server does it itself.",
     .example = "tocsin load broadcast http://127.0.0.1:8080 --recipe hertz",
     .subscribe_target = kTextTarget,
     .one = kTextForm,
     .can_resume = false},
    {.name = "pushpin",
     .note =
         "Pushpin with an origin that answers GET /events?stream=TOPIC with Grip-Hold: stream,\n"
         "Grip-Channel: TOPIC and Content-Type: text/event-stream. Publishing goes to its HTTP\n"
         "control port (5561 unless --publish-url names another), one request at a time on each\n"
         "connection. It cannot resume by itself.",
     .example = "tocsin load broadcast http://127.0.0.1:7999 --recipe pushpin --batch 10",
     .subscribe_target = kTextTarget,
     .one = {"/publish/", "application/json",
             R"({"channel":"{topic}","formats":{"http-stream":{"content":"data: {data}\n\n"}}})",
             R"({"items":[)", ",", "]}"},
     .many = {"/publish/", "application/json",
              R"({"channel":"{topic}","formats":{"http-stream":{"content":"data: {data}\n\n"}}})",
              R"({"items":[)", ",", "]}"},
     .publish_port = 5561,
     .can_resume = false,
     .can_pipeline = false},
    {.name = "better-sse",
     .note = "A Node.js server on better-sse, of the same shape as r3labs. It keeps no history by\n"
             "itself: it cannot resume.",
     .example = "tocsin load broadcast http://127.0.0.1:8080 --recipe better-sse",
     .subscribe_target = kTextTarget,
     .one = kTextForm,
     .can_resume = false},
}};

}  // namespace

std::span<const Recipe> recipes() {
  return kRecipes;
}

const Recipe* find_recipe(std::string_view name) {
  const auto* const found = std::ranges::find(kRecipes, name, &Recipe::name);
  return found == kRecipes.end() ? nullptr : found;
}

void apply_recipe(const Recipe& recipe, LoadOptions& options) {
  net::Url& streams = options.subscribe.url;
  PublishTemplate& request = options.publish.request;
  const PublishForm& form = options.publish.batch > 1 ? recipe.many : recipe.one;
  TOCSIN_ASSERT(!streams.host.empty() && !form.content_type.empty());
  if (!streams.path_was_given) streams.target = recipe.subscribe_target;
  if (request.url.host.empty()) {
    request.url.host = streams.host;
    request.url.port = recipe.publish_port != 0 ? recipe.publish_port : streams.port;
  }
  if (!request.url.path_was_given) request.url.target = form.target;
  options.counters_target = recipe.counters_target;
  if (!recipe.can_pipeline) options.publish.in_flight = 1;
  request.content_type = form.content_type;
  request.body_prefix = form.prefix;
  request.item = form.item;
  request.separator = form.separator;
  request.body_suffix = form.suffix;
}

std::string recipes_help() {
  std::string text = "Recipes of `tocsin load` (--recipe NAME):\n";
  for (const Recipe& recipe : kRecipes) {
    text += fmt::format("\n{}\n", recipe.name);
    std::string_view rest = recipe.note;
    while (!rest.empty()) {
      const auto end = std::min(rest.find('\n'), rest.size());
      text += fmt::format("  {}\n", rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    text += fmt::format("  streams   GET {}\n", recipe.subscribe_target);
    text += fmt::format("  publish   POST {}, {}\n", recipe.one.target, recipe.one.content_type);
    text += fmt::format("    $ {}\n", recipe.example);
  }
  return text;
}

}  // namespace tocsin::load
