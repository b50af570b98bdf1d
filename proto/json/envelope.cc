#include "proto/json/envelope.h"

#include "proto/assert.h"
#include "proto/json/json_text.h"
#include "proto/json/json_value.h"

namespace tocsin::proto {

void append_envelope(std::string& out, std::string_view topic, std::string_view data, bool json) {
  TOCSIN_ASSERT(!json || !data.empty());  // no text is no JSON value
  out += R"({"topic":)";
  append_json_string(out, topic);
  out += R"(,"data":)";
  if (json) {
    out += data;
  } else if (!append_collection(out, data)) {
    append_json_string(out, data);
  }
  out += '}';
}

}  // namespace tocsin::proto
