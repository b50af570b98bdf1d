// However a request stream is cut, the requests and the error are the same; and what was accepted
// can be read in one way only, as a reader sees who knows nothing but CR LF and chunk sizes. Input:
// a byte for the cuts, then the stream.
#include <charconv>
#include <string>
#include <string_view>
#include <vector>

#include "proto/http/http_request.h"
#include "tests/fuzz/fuzz_input.h"

namespace {

using tocsin::fuzz::require;
using tocsin::proto::Header;
using tocsin::proto::RequestParser;
using State = RequestParser::State;

// Small, so that inputs reach them.
constexpr std::size_t kMaxHead = 256;
constexpr std::size_t kMaxBody = 64;

// Lines end in CR LF, both stand nowhere else, and none begins with a blank.
bool has_strict_lines(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r' && !text.substr(i).starts_with("\r\n")) return false;
    if (text[i] == '\n' && (i == 0 || text[i - 1] != '\r')) return false;
    const bool begins = i == 0 || text[i - 1] == '\n';
    if (begins && (text[i] == ' ' || text[i] == '\t')) return false;
  }
  return text.ends_with("\r\n");
}

// The data of a chunked body; asserts its form on the way.
std::string read_chunks(std::string_view text) {
  std::string data;
  for (;;) {
    const auto end = text.find("\r\n");
    require(end != std::string_view::npos, "a line with the chunk's size");
    std::size_t size = 0;
    const auto [rest, error] = std::from_chars(text.data(), text.data() + end, size, 16);
    require(error == std::errc{} && (*rest == '\r' || *rest == ';'), "digits, then an extension");
    require(has_strict_lines(text.substr(0, end + 2)), "strict lines around chunks");
    text.remove_prefix(end + 2);
    if (size == 0) break;
    data += text.substr(0, size);
    text.remove_prefix(size);
    require(text.starts_with("\r\n"), "a line end behind the data");
    text.remove_prefix(2);
  }
  require(has_strict_lines(text), "strict lines in the trailer");
  return data;
}

// Reads a stream and writes down all that it sees.
class RequestRecorder {
 public:
  void feed(std::string_view piece) {
    // Memory of its own: what the parser keeps must be a copy.
    const std::vector<char> copy(piece.begin(), piece.end());
    std::string_view bytes(copy.data(), copy.size());
    while (!bytes.empty()) {
      const auto step = parser_.feed(bytes);
      require(step.consumed <= bytes.size(), "consumes no more than it got");
      message_ += bytes.substr(0, step.consumed);
      bytes.remove_prefix(step.consumed);
      if (!on_step(step.state, bytes)) return;
    }
  }

  [[nodiscard]] const std::string& log() const { return log_; }
  [[nodiscard]] bool mid_message() const { return parser_.mid_message(); }

 private:
  bool on_step(State state, std::string_view rest) {
    switch (state) {
      case State::need_more:
        require(rest.empty(), "need_more consumes everything");
        return false;
      case State::head_complete:
        require(!head_seen_ && !rest.empty(), "one head a request, and a byte is left");
        head_seen_ = true;
        head_size_ = message_.size() + 1;
        return true;
      case State::message_complete:
        require(head_seen_, "a head before the end");
        require(!parser_.mid_message(), "no message behind its end");
        head_seen_ = false;
        check_form();
        message_.clear();
        record();
        parser_.begin();
        return true;
      case State::failed:
        if (!failed_) log_ += "error " + std::to_string(static_cast<int>(parser_.error()));
        failed_ = true;
        return false;
    }
    return false;
  }

  void check_form() {
    const auto& request = parser_.request();
    const std::string_view head = std::string_view{message_}.substr(0, head_size_);
    require(has_strict_lines(head), "strict lines in the head");
    for (std::string_view line = head.substr(head.find(request.target)); !line.empty();) {
      line.remove_prefix(line.find('\n') + 1);
      const auto name = line.substr(0, line.find_first_of(": \r"));
      require(line == "\r\n" || line.empty() || (!name.empty() && line[name.size()] == ':'),
              "a colon right behind a field's name");
    }
    const bool chunked = request.has_body && request.content_length == 0;
    const std::string_view body = std::string_view{message_}.substr(head_size_);
    require((chunked ? read_chunks(body) : std::string{body}) == request.body, "the body's bytes");
  }

  void record() {
    const auto& request = parser_.request();
    require(request.body.size() <= kMaxBody, "body within its limit");
    require(request.body.empty() || request.body.capacity() - request.body.size() >= 64,
            "padding behind the body");
    require(request.target.size() <= kMaxHead, "target within the head's limit");
    log_ += std::to_string(static_cast<int>(request.method)) + ' ' + request.target + ' ';
    log_ += {request.http_1_1 ? '1' : '0', request.keep_alive ? 'k' : 'c',
             request.expects_continue ? 'e' : '-', request.has_body ? 'b' : '-'};
    log_ += std::to_string(request.content_length) + '\n';
    log_.append(request.path()).append("|").append(request.query()).append("\n");
    for (const auto& value : request.headers) log_ += value + '\n';
    log_ += request.body + '\n';
  }

  RequestParser parser_{kMaxHead, kMaxBody};
  std::string message_;  // the bytes of the request being read
  std::size_t head_size_ = 0;
  std::string log_;
  bool head_seen_ = false;
  bool failed_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tocsin::fuzz::Input input(data, size);
  tocsin::fuzz::Splitter splitter(input.take_byte());
  const std::string_view stream = input.rest();

  RequestRecorder whole;
  whole.feed(stream);

  RequestRecorder pieces;
  for (std::string_view left = stream; !left.empty();) pieces.feed(splitter.next(left));
  require(pieces.log() == whole.log(), "the same for random pieces");
  require(pieces.mid_message() == whole.mid_message(), "the same state at the end");

  RequestRecorder bytes;
  for (std::size_t at = 0; at < stream.size(); ++at) bytes.feed(stream.substr(at, 1));
  require(bytes.log() == whole.log(), "the same byte by byte");
  require(bytes.mid_message() == whole.mid_message(), "the same state at the end");
  return 0;
}
