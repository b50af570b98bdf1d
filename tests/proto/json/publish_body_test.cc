#include "proto/json/publish_body.h"

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/limits.h"

namespace tocsin::proto {
namespace {

using namespace std::string_view_literals;
using ::testing::ElementsAre;

// One of a body's events, with strings of its own.
struct Entry {
  std::string topic{};
  std::string type{};
  std::string id{};
  std::string data{};
  std::optional<std::uint32_t> retry_ms{};

  friend bool operator==(const Entry&, const Entry&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Entry& event) {
    return out << "{topic " << event.topic << ", type " << event.type << ", id " << event.id
               << ", retry " << (event.retry_ms ? std::to_string(*event.retry_ms) : "none")
               << ", data " << event.data << '}';
  }
};

struct ReadBody {
  std::vector<Entry> events{};
  std::optional<InputError> error{};
};

class PublishBodyTest : public ::testing::Test {
 protected:
  ReadBody read(std::string_view body, BodyForm form, const EventView& defaults = {}) {
    // Exactly the padding that is asked for, for a sanitizer to see the first byte too many.
    std::vector<char> padded(body.begin(), body.end());
    padded.resize(body.size() + 64, '"');
    const auto result = reader_.read({padded.data(), body.size()}, form, defaults);
    ReadBody outcome;
    if (!result) {
      outcome.error = result.error();
      EXPECT_FALSE(outcome.error->message.empty());
      return outcome;
    }
    for (const EventView& event : **result) {
      outcome.events.push_back({.topic = std::string(event.topic),
                                .type = std::string(event.type),
                                .id = std::string(event.id),
                                .data = std::string(event.data),
                                .retry_ms = event.retry_ms});
      EXPECT_EQ(check(event), std::nullopt);
    }
    return outcome;
  }

  // "field" or "field@line"; "none" if there is no error.
  std::string refused(std::string_view body, BodyForm form = BodyForm::json) {
    const auto outcome = read(body, form);
    if (!outcome.error) return "none";
    if (outcome.error->line == 0) return outcome.error->field;
    return outcome.error->field + "@" + std::to_string(outcome.error->line);
  }

  std::string data_of(std::string_view json_value) {
    const auto outcome = read("{\"data\":" + std::string(json_value) + "}", BodyForm::json);
    if (outcome.error) return "error: " + outcome.error->message;
    return outcome.events.size() == 1 ? outcome.events[0].data : "?";
  }

  PublishBodyReader reader_;
};

TEST(BodyFormTest, ContentTypes) {
  for (const auto* type :
       {"application/json", "Application/JSON; charset=utf-8", " application/json ",
        "text/json; charset=utf-8", "application/ld+json", "application/cloudevents+json;x"}) {
    EXPECT_EQ(body_form(type), BodyForm::json) << type;
  }
  for (const auto* type : {"application/x-ndjson", "application/ndjson", "application/jsonl",
                           "APPLICATION/X-NDJSON;charset=utf-8"}) {
    EXPECT_EQ(body_form(type), BodyForm::ndjson) << type;
  }
  for (const auto* type :
       {"", "text/plain", "application/x-www-form-urlencoded", "application/octet-stream",
        "text/jsonx", "application/jsonx", "application/json-seq", "image/svg+xml", "json"}) {
    EXPECT_EQ(body_form(type), BodyForm::text) << type;
  }
}

TEST_F(PublishBodyTest, TextIsOneTrimmedEvent) {
  const EventView defaults{.topic = "t", .type = "tick", .id = "1", .retry_ms = 5};
  EXPECT_THAT(read(" \t\r\nhello\n world\v\f \n", BodyForm::text, defaults).events,
              ElementsAre(Entry{"t", "tick", "1", "hello\n world", 5}));
  EXPECT_THAT(read("a=1&b=%20+", BodyForm::text).events, ElementsAre(Entry{.data = "a=1&b=%20+"}));
}

TEST_F(PublishBodyTest, TextIsChecked) {
  for (const auto body : {""sv, " \r\n\t "sv}) {
    EXPECT_EQ(read(body, BodyForm::text).error,
              (InputError{.field = "data", .message = "msg required"}));
  }
  EXPECT_EQ(refused("\xFF", BodyForm::text), "data");
  EXPECT_EQ(refused(std::string(limits::kMaxEventData + 1, 'x'), BodyForm::text), "data");
  EXPECT_EQ(read("x", BodyForm::text, {.type = "a\nb"}).error->field, "type");
}

TEST_F(PublishBodyTest, JsonObject) {
  EXPECT_THAT(
      read(R"({"topic":"t","type":"tick","id":"7","retry":1500,"data":"hello"})", BodyForm::json)
          .events,
      ElementsAre(Entry{"t", "tick", "7", "hello", 1500}));
  EXPECT_THAT(read(" \n{ \"stream\" : \"t\" , \"event\" : \"tick\" , \"data\" : \"x\" } \r\n",
                   BodyForm::json)
                  .events,
              ElementsAre(Entry{.topic = "t", .type = "tick", .data = "x"}));
}

TEST_F(PublishBodyTest, AbsentMembersTakeTheDefaults) {
  const EventView defaults{.topic = "t", .type = "tick", .id = "1", .data = "never", .retry_ms = 5};
  EXPECT_THAT(read(R"({"data":"x"})", BodyForm::json, defaults).events,
              ElementsAre(Entry{"t", "tick", "1", "x", 5}));
  EXPECT_THAT(read(R"({"data":"x","type":"","id":"","retry":0})", BodyForm::json, defaults).events,
              ElementsAre(Entry{.topic = "t", .data = "x", .retry_ms = 0}));
  EXPECT_EQ(read("{}", BodyForm::json, defaults).error->field, "data");
}

TEST_F(PublishBodyTest, DataIsAStringOrAnyValueCompact) {
  EXPECT_EQ(data_of(R"("text")"), "text");
  EXPECT_EQ(data_of(R"("{ \"a\": 1 }")"), "{ \"a\": 1 }");
  EXPECT_EQ(data_of("true"), "true");
  EXPECT_EQ(data_of(" false "), "false");
  EXPECT_EQ(data_of("null"), "null");
  EXPECT_EQ(data_of("[]"), "[]");
  EXPECT_EQ(data_of("{ }"), "{}");
  EXPECT_EQ(data_of("[ 1 , [ ] , { \"a b\" : \" c\\n \" } , null ]\n"),
            "[1,[],{\"a b\":\" c\\n \"},null]");
  EXPECT_EQ(data_of("{\r\n\t\"é\": \"\\u00e9\\/\\\" \"\n}"), R"({"é":"\u00e9\/\" "})");
}

TEST_F(PublishBodyTest, NumbersKeepTheirSpelling) {
  for (const auto* number : {"0", "-0", "1.10", "123456789012345678901234567890", "1e400",
                             "-1.5E-7", "1E+2", "0.0000000000000000000000000000000000001"}) {
    EXPECT_EQ(data_of(number), number);
    EXPECT_EQ(data_of("[ " + std::string(number) + " , " + number + " ]"),
              "[" + std::string(number) + "," + number + "]");
  }
}

TEST_F(PublishBodyTest, StringsAreDecoded) {
  EXPECT_THAT(
      read(R"({"topic":"a\u002fb","type":"t\u00e9","id":"\"7\"","d\u0061ta":"\uD83D\uDD14\n\\"})",
           BodyForm::json)
          .events,
      ElementsAre(
          Entry{.topic = "a/b", .type = "té", .id = "\"7\"", .data = "\xF0\x9F\x94\x94\n\\"}));
}

TEST_F(PublishBodyTest, IdAndRetryAlsoInTheOtherType) {
  EXPECT_THAT(
      read(R"([{"id":42,"retry":"1500","data":"x"},{"id":-7 ,"data":"x"},
                       {"id":123456789012345678901234567890,"data":"x"}])",
           BodyForm::json)
          .events,
      ElementsAre(Entry{.id = "42", .data = "x", .retry_ms = 1500}, Entry{.id = "-7", .data = "x"},
                  Entry{.id = "123456789012345678901234567890", .data = "x"}));
  for (const auto* id : {"1.5", "1e3", "true", "null", "[]", "{}", "01"}) {
    EXPECT_EQ(refused(std::string(R"({"data":"x","id":)") + id + "}"), "id") << id;
  }
  for (const auto* retry : {"-1", "1.5", "1e3", "86400001", "4294967296", "true", "null", "[]",
                            "\"\"", "\"x\"", "\"1x\"", "\"-1\"", "\" 1\""}) {
    EXPECT_EQ(refused(std::string(R"({"data":"x","retry":)") + retry + "}"), "retry") << retry;
  }
  EXPECT_EQ(refused(R"({"data":"x","retry":86400000})"), "none");
}

TEST_F(PublishBodyTest, WrongTypesUnknownKeysAndRepetitionsNameTheField) {
  EXPECT_EQ(refused(R"({"data":"x","topic":1})"), "topic");
  EXPECT_EQ(refused(R"({"data":"x","stream":null})"), "stream");
  EXPECT_EQ(refused(R"({"data":"x","topic":""})"), "topic");
  EXPECT_EQ(refused(R"({"data":"x","stream":""})"), "stream");
  EXPECT_EQ(refused(R"({"data":"x","type":["a"]})"), "type");
  EXPECT_EQ(refused(R"({"data":"x","event":{}})"), "event");
  EXPECT_EQ(refused(R"({"data":"x","colour":1})"), "colour");
  EXPECT_EQ(refused(R"({"data":"x","Data":1})"), "Data");
  EXPECT_EQ(refused(R"({"data":"x","dat":1})"), "dat");
  EXPECT_EQ(refused(R"({"data":"x","":1})"), "body");
  EXPECT_EQ(refused(R"({"data":"x","data":"y"})"), "data");
  EXPECT_EQ(refused(R"({"data":"x","topic":"a","stream":"a"})"), "stream");
  EXPECT_EQ(refused(R"({"data":"x","event":"a","type":"a"})"), "type");
  EXPECT_EQ(refused(R"({"data":"x","id":"1","\u0069d":"1"})"), "id");
}

TEST_F(PublishBodyTest, EveryEventIsChecked) {
  EXPECT_EQ(refused(R"({"type":"tick"})"), "data");
  EXPECT_EQ(refused(R"({"data":"x","id":"a\nb"})"), "id");
  EXPECT_EQ(refused(R"({"data":"x","id":"a\u0000b"})"), "id");
  EXPECT_EQ(refused(R"({"data":"x","type":"a\rb"})"), "type");
  EXPECT_EQ(refused(R"({"data":"x","topic":"a\u001fb"})"), "topic");
  EXPECT_EQ(refused(R"([{"data":"x"},{"event":"gap","data":""}])"), "event@2");
}

TEST_F(PublishBodyTest, JsonArray) {
  EXPECT_THAT(read(R"([{"data":"a"}, {"data":{"b": 1},"topic":"t"},
                       {"data":"c\n"}])",
                   BodyForm::json)
                  .events,
              ElementsAre(Entry{.data = "a"}, Entry{.topic = "t", .data = R"({"b":1})"},
                          Entry{.data = "c\n"}));
  EXPECT_EQ(refused("[]"), "body");
  EXPECT_EQ(refused(R"([{"data":"a"},1])"), "body@2");
  EXPECT_EQ(refused(R"([{"data":"a"},[{"data":"b"}]])"), "body@2");
  EXPECT_EQ(refused(R"([{"data":"a"},{"data":"b","x":1},{"data":"c","y":1}])"), "x@2");
}

TEST_F(PublishBodyTest, OtherJsonAtTheTopIsRefused) {
  for (const auto* body : {"\"text\"", "1", "true", "null", "x"}) EXPECT_EQ(refused(body), "body");
  for (const auto* body : {"", "  ", "\n"}) EXPECT_EQ(refused(body), "body");
}

constexpr std::string_view kInvalidJson[] = {
    R"({)"sv,
    R"({"data":"x")"sv,
    R"({"data":"x"}})"sv,
    R"({"data":"x"} x)"sv,
    R"({"data":"x"}{"data":"y"})"sv,
    R"({"data":"x",})"sv,
    R"({"data" "x"})"sv,
    R"({"data":})"sv,
    R"({data:"x"})"sv,
    R"({'data':'x'})"sv,
    R"({"data":"x)"sv,
    R"({"data":"x\"})"sv,
    R"({"data":"\x"})"sv,
    R"({"data":"\u12"})"sv,
    R"({"data":"\uD83D"})"sv,
    R"({"data":"\uDD14"})"sv,
    R"({"data":"\uD83Dx"})"sv,
    R"({"data":"\uD83D\u0041"})"sv,
    R"({"data":x})"sv,
    R"({"data":tru})"sv,
    R"({"data":truex})"sv,
    R"({"data":nul})"sv,
    R"({"data":nulll})"sv,
    R"({"data":01})"sv,
    R"({"data":1.})"sv,
    R"({"data":.5})"sv,
    R"({"data":-})"sv,
    R"({"data":+1})"sv,
    R"({"data":1e})"sv,
    R"({"data":1x})"sv,
    R"({"data":1 2})"sv,
    R"({"data":NaN})"sv,
    R"({"data":Infinity})"sv,
    R"({"data":[1,]})"sv,
    R"({"data":[,1]})"sv,
    R"({"data":[1 2]})"sv,
    R"({"data":[1})"sv,
    R"({"data":[1}])"sv,
    R"({"data":{"a":1]})"sv,
    R"({"data":{"a"}})"sv,
    R"({"data":{"a":}})"sv,
    R"({"data":{"a":1,}})"sv,
    R"({"data":{1:1}})"sv,
    R"({"data":{"a":"b":1}}})"sv,
    R"({"data":["a":1]})"sv,
    R"({"data":"a":"b"}})"sv,
    R"({"data":{"a":["\x"]}})"sv,
    R"({"data":{"a":["\uD83D"]}})"sv,
    R"({"data":{"\uD83D":1}})"sv,
    R"({"data":[[[01]]]})"sv,
    R"({"data":[[["x" "y"]]]})"sv,
    R"({"data":[tru]})"sv,
    R"({"data":[1,2})"sv,
    R"({"data":[]]})"sv,
    R"({"data":/**/1})"sv,
    "{\"data\":\"a\nb\"}"sv,
    "{\"data\":\"a\0b\"}"sv,
    "{\"data\":[\"a\tb\"]}"sv,
    "{\"data\":\"\xFF\"}"sv,
    "{\"data\":\"\xED\xA0\x80\"}"sv,
    "{\"data\":{\"\xC0\xAF\":1}}"sv,
    "{\"data\":\"x\"}\xFF"sv,
    "{\"data\":\"x\"}\0"sv,
};

TEST_F(PublishBodyTest, InvalidJsonIsRefusedAnywhere) {
  for (const std::string_view body : kInvalidJson) {
    EXPECT_EQ(refused(body), "body") << body;
    // The same as the second element and on the third line.
    const std::string array = R"([{"data":"ok"},)" + std::string(body) + "]";
    EXPECT_TRUE(refused(array).starts_with("body")) << array;
    if (body.find('\n') == std::string_view::npos) {
      const std::string lines =
          "{\"data\":\"ok\"}\n\n" + std::string(body) + "\n{\"data\":\"ok\"}\n";
      EXPECT_EQ(refused(lines, BodyForm::ndjson), "body@3") << lines;
    }
  }
}

TEST_F(PublishBodyTest, InvalidArraysAreRefused) {
  for (const auto body : {R"([{"data":"x"})"sv, R"([{"data":"x"},])"sv, R"([,{"data":"x"}])"sv,
                          R"([{"data":"x"}]])"sv, R"([{"data":"x"}] 1)"sv,
                          R"([{"data":"x"}{"data":"y"}])"sv, R"([{"data":"x"}})"sv, "["sv,
                          "[["
                          "]"sv}) {
    EXPECT_TRUE(refused(body).starts_with("body")) << body;
  }
}

TEST_F(PublishBodyTest, WhatIsNoObjectInAnArrayIsNamed) {
  const auto says = [this](auto body) { return read(body, BodyForm::json).error->message; };
  EXPECT_EQ(says("[{\"data\":1} ,\n]\n"), "not valid JSON: nothing follows the last comma");
  EXPECT_EQ(says(R"([{"data":1},-1])"), "must be an array of objects");
  EXPECT_EQ(says(R"([{"data":1},,{"data":2}])"), "not valid JSON");
}

TEST_F(PublishBodyTest, UnpairedSurrogatesAreNamed) {
  EXPECT_THAT(read(R"({"data":["\uD83D"]})", BodyForm::json).error->message,
              ::testing::HasSubstr("surrogate"));
}

TEST_F(PublishBodyTest, NestingIsBounded) {
  const auto nested = [](std::size_t depth, const std::string& open, const std::string& close) {
    std::string value;
    for (std::size_t i = 1; i < depth; ++i) value += open;
    value += "[]";
    for (std::size_t i = 1; i < depth; ++i) value += close;
    return "{\"data\":" + value + "}";
  };
  EXPECT_EQ(refused(nested(limits::kMaxJsonDepth, "[", "]")), "none");
  EXPECT_EQ(refused(nested(limits::kMaxJsonDepth, "{\"a\":", "}")), "none");
  EXPECT_EQ(refused(nested(limits::kMaxJsonDepth + 1, "[", "]")), "data");
  EXPECT_EQ(refused(nested(limits::kMaxJsonDepth + 1, "{\"a\":", "}")), "data");
  EXPECT_EQ(refused(nested(100'000, "[", "]")), "data");
  EXPECT_NE(refused(std::string(100'000, '[')), "none");
  EXPECT_NE(refused("{\"data\":" + std::string(100'000, '[')), "none");
}

TEST_F(PublishBodyTest, ByteOrderMarkIsSkippedOnce) {
  EXPECT_EQ(refused("\xEF\xBB\xBF{\"data\":\"x\"}"), "none");
  EXPECT_EQ(refused("\xEF\xBB\xBF{\"data\":\"x\"}\n{\"data\":\"y\"}", BodyForm::ndjson), "none");
  EXPECT_EQ(refused("\xEF\xBB\xBF\xEF\xBB\xBF{\"data\":\"x\"}"), "body");
  EXPECT_EQ(refused("{\"data\":\"x\"}\n\xEF\xBB\xBF{\"data\":\"y\"}", BodyForm::ndjson), "body@2");
}

TEST_F(PublishBodyTest, Ndjson) {
  EXPECT_THAT(read("{\"data\":\"a\"}\r\n\n \t\r\n {\"data\": [1, 2],\"topic\":\"t\"} \n"
                   "{\"data\":\"\\u0063\"}",
                   BodyForm::ndjson, {.topic = "d"})
                  .events,
              ElementsAre(Entry{.topic = "d", .data = "a"}, Entry{.topic = "t", .data = "[1,2]"},
                          Entry{.topic = "d", .data = "c"}));
}

TEST_F(PublishBodyTest, NdjsonErrorsHaveThePhysicalLine) {
  EXPECT_EQ(refused("{\"data\":\"a\"}\n\n\n{\"type\":\"\"}\n", BodyForm::ndjson), "data@4");
  EXPECT_EQ(refused("\r\n{\"data\":\"a\",\"x\":1}", BodyForm::ndjson), "x@2");
  EXPECT_EQ(refused("{\"data\":\"a\"}\n[{\"data\":\"b\"}]", BodyForm::ndjson), "body@2");
  EXPECT_EQ(refused("{\"data\":\n\"a\"}", BodyForm::ndjson), "body@1");
  for (const auto* empty : {"", "\n", " \r\n\t\n"})
    EXPECT_EQ(refused(empty, BodyForm::ndjson), "body");
}

TEST_F(PublishBodyTest, BatchesAreBounded) {
  std::string lines;
  std::string array = "[";
  for (std::size_t i = 0; i < limits::kMaxBatchEvents; ++i) {
    lines += "{\"data\":1}\n";
    array += i == 0 ? "{\"data\":1}" : ",{\"data\":1}";
  }
  EXPECT_EQ(read(lines, BodyForm::ndjson).events.size(), limits::kMaxBatchEvents);
  EXPECT_EQ(read(array + "]", BodyForm::json).events.size(), limits::kMaxBatchEvents);
  const std::string beyond = "body@" + std::to_string(limits::kMaxBatchEvents + 1);
  EXPECT_EQ(refused(lines + "{\"data\":1}", BodyForm::ndjson), beyond);
  EXPECT_EQ(refused(array + ",{\"data\":1}]"), beyond);
}

TEST_F(PublishBodyTest, ReaderServesMixedBodiesInTurn) {
  const std::string escaped = R"({"data":"a\n)" + std::string(100'000, 'x') + "\"}";
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(refused("{\"data\":[1,"), "body");
    EXPECT_EQ(data_of("[ 1 ]"), "[1]");
    EXPECT_EQ(read(escaped, BodyForm::json).events.at(0).data.size(), 100'002U);
    EXPECT_EQ(read(escaped + "\n" + escaped, BodyForm::ndjson).events.size(), 2U);
    EXPECT_EQ(refused("x", BodyForm::text), "none");
  }
}

}  // namespace
}  // namespace tocsin::proto
