// However a request stream is cut, the requests and the error are the same. Input: a byte for the
// cuts, then the stream.
#include <string>
#include <string_view>
#include <vector>

#include "proto/http_request.h"
#include "tests/fuzz/fuzz_input.h"

namespace {

using tocsin::fuzz::require;
using tocsin::proto::Header;
using tocsin::proto::RequestParser;
using State = RequestParser::State;

// Small, so that inputs reach them.
constexpr std::size_t kMaxHead = 256;
constexpr std::size_t kMaxBody = 64;

// Reads a stream and writes down all that it sees.
class Recorder {
 public:
  void feed(std::string_view piece) {
    // Memory of its own: what the parser keeps must be a copy.
    const std::vector<char> copy(piece.begin(), piece.end());
    std::string_view bytes(copy.data(), copy.size());
    while (!bytes.empty()) {
      const auto step = parser_.feed(bytes);
      require(step.consumed <= bytes.size(), "consumes no more than it got");
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
        return true;
      case State::message_complete:
        require(head_seen_, "a head before the end");
        require(!parser_.mid_message(), "no message behind its end");
        head_seen_ = false;
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
  std::string log_;
  bool head_seen_ = false;
  bool failed_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tocsin::fuzz::Input input(data, size);
  tocsin::fuzz::Splitter splitter(input.take_byte());
  const std::string_view stream = input.rest();

  Recorder whole;
  whole.feed(stream);

  Recorder pieces;
  for (std::string_view left = stream; !left.empty();) pieces.feed(splitter.next(left));
  require(pieces.log() == whole.log(), "the same for random pieces");
  require(pieces.mid_message() == whole.mid_message(), "the same state at the end");

  Recorder bytes;
  for (std::size_t at = 0; at < stream.size(); ++at) bytes.feed(stream.substr(at, 1));
  require(bytes.log() == whole.log(), "the same byte by byte");
  require(bytes.mid_message() == whole.mid_message(), "the same state at the end");
  return 0;
}
