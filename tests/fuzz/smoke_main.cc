// Runs a fuzz target without libFuzzer: its corpus, then mutations of it. Prints the seed first;
// TOCSIN_SEED=N repeats a run.
//
// usage: TARGET CORPUS_DIRECTORY
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tests/fuzz/fuzz_input.h"

namespace {

constexpr int kMutations = 5000;
constexpr std::size_t kMaxInput = 4096;

// What parsers of lines, HTTP, JSON and SSE have branches for.
constexpr std::array<std::string_view, 40> kTokens = {
    "\r\n",
    "\n",
    "\r",
    "\r\n\r\n",
    "\n\n",
    ":",
    ": ",
    "data: ",
    "data",
    "id: ",
    "event: ",
    "retry: ",
    "\xEF\xBB\xBF",
    "0",
    "1",
    "10",
    "\"",
    "\\",
    "\\u0000",
    "\\ud83d",
    "{",
    "}",
    "[",
    "]",
    ",",
    "null",
    "true",
    "-1",
    "1e5",
    "\"data\":1",
    "chunked",
    "close",
    "Host: ",
    "GET ",
    "HTTP/1.1",
    "?",
    "%",
    " ",
    "\xC3\xA9",
    "\xFF",
};

class Mutator {
 public:
  Mutator(std::uint64_t seed, const std::vector<std::string>& corpus)
      : random_(seed), corpus_(corpus) {}

  std::string next() {
    std::string input = corpus_[below(corpus_.size())];
    if (below(20) == 0) {
      input.resize(below(256));
      for (char& c : input) c = static_cast<char>(below(256));
    }
    for (std::size_t count = 1 + below(6); count > 0; --count) mutate(input);
    if (input.size() > kMaxInput) input.resize(kMaxInput);
    return input;
  }

 private:
  std::size_t below(std::size_t end) {
    return std::uniform_int_distribution<std::size_t>(0, end - 1)(random_);
  }

  void mutate(std::string& input) {
    const std::size_t at = below(input.size() + 1);
    const std::size_t size = std::min(input.size() - at, 1 + below(16));
    switch (below(6)) {
      case 0:
        input.insert(at, kTokens[below(kTokens.size())]);
        break;
      case 1:
        input.erase(at, size);
        break;
      case 2:
        input.insert(below(input.size() + 1), input.substr(at, size));
        break;
      case 3:
        input.insert(at, 1, static_cast<char>(below(256)));
        break;
      case 4:
        if (at < input.size()) input[at] = static_cast<char>(below(256));
        break;
      default: {
        const std::string& other = corpus_[below(corpus_.size())];
        input = input.substr(0, at) + other.substr(below(other.size() + 1));
      }
    }
  }

  std::mt19937_64 random_;
  const std::vector<std::string>& corpus_;
};

std::vector<std::string> read_corpus(const std::filesystem::path& directory) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::ranges::sort(files);  // the same order everywhere, so that a seed means the same run
  std::vector<std::string> corpus;
  for (const auto& file : files) {
    std::ifstream in(file, std::ios::binary);
    corpus.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  return corpus;
}

// The input that is being run, for the handler below; a signal handler takes no argument.
std::string_view current_input;

void run(const std::string& input) {
  current_input = input;
  // In memory of exactly its size, for a sanitizer to see the first byte too many.
  const std::vector<std::uint8_t> bytes(input.begin(), input.end());
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

// A finding is an abort: shows its input, as hex, with nothing that a handler may not call. It ends
// with an ordinary exit status: CTest counts a signal as a failure even of a test that is expected
// to fail.
extern "C" void on_abort(int /*signal*/) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::array<char, 2 * kMaxInput + 1> text{};
  std::size_t size = 0;
  for (char c : current_input.substr(0, kMaxInput)) {
    text[size++] = kHex[static_cast<unsigned char>(c) >> 4];
    text[size++] = kHex[static_cast<unsigned char>(c) & 0xF];
  }
  text[size++] = '\n';
  const bool shown = write(STDERR_FILENO, text.data(), size) >= 0;
  _exit(shown ? 1 : 3);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 || !std::filesystem::is_directory(argv[1])) {
    std::fprintf(stderr, "usage: %s CORPUS_DIRECTORY\n", argv[0]);
    return 2;
  }
  const std::vector<std::string> corpus = read_corpus(argv[1]);
  if (corpus.empty()) {
    std::fprintf(stderr, "%s: no corpus in %s\n", argv[0], argv[1]);
    return 2;
  }
  const char* given = std::getenv("TOCSIN_SEED");
  const std::uint64_t seed =
      given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  std::printf("TOCSIN_SEED=%llu\n", static_cast<unsigned long long>(seed));
  std::fflush(stdout);
  signal(SIGABRT, on_abort);

  for (const auto& input : corpus) run(input);
  Mutator mutator(seed, corpus);
  for (int i = 0; i < kMutations; ++i) run(mutator.next());
  return 0;
}
