// How to talk to a server: where its streams are, and what a published event looks like.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "tools/load/options/load_options.h"

namespace tocsin::load {

// One request's shape; see PublishTemplate for the placeholders.
struct PublishForm {
  std::string_view target;
  std::string_view content_type;
  std::string_view item;
  std::string_view prefix = {};
  std::string_view separator = {};
  std::string_view suffix = {};
};

struct Recipe {
  std::string_view name;
  std::string_view note;              // what must be known to use it; lines of up to 90 characters
  std::string_view example;           // a command line
  std::string_view subscribe_target;  // {topic} is replaced
  PublishForm one;                    // a request with one event
  PublishForm many = {};              // with several; no target: the server knows no such thing
  std::uint16_t publish_port = 0;     // 0: the streams' own
  std::string_view counters_target = {};  // of a page that counts Tocsin's streams
  bool can_resume = true;
  bool can_pipeline = true;  // publishing takes a request before the last one is answered
};

[[nodiscard]] std::span<const Recipe> recipes();
[[nodiscard]] const Recipe* find_recipe(std::string_view name);

// Fills what the recipe knows: the targets of both URLs where they had no path, and the request of
// one event or of a batch by options.publish.batch, and one request at a time where it must be.
// options.publish.request.url without a host becomes the streams' host. REQUIRES:
// options.subscribe.url has a host; a batch has a form.
void apply_recipe(const Recipe& recipe, LoadOptions& options);

// All of them as text, for --help-recipes.
[[nodiscard]] std::string recipes_help();

}  // namespace tocsin::load
