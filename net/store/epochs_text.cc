#include "net/store/epochs_text.h"

#include <utility>
#include <vector>

#include <fmt/format.h>

#include "proto/text/number.h"

namespace tocsin::net {

std::string epochs_text(const core::Epochs& epochs) {
  std::string text;
  for (const core::Epochs::Older& older : epochs.older()) {
    text += fmt::format("{:x}:{} ", older.epoch, older.end);
  }
  return text + fmt::format("{:x}", epochs.current());
}

std::optional<core::Epochs> read_epochs(std::string_view text) {
  std::vector<core::Epochs::Older> older;
  for (auto end = text.find(' '); end != std::string_view::npos; end = text.find(' ')) {
    const std::string_view one = text.substr(0, end);
    const auto colon = one.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    const auto epoch = proto::read_number<proto::Epoch>(one.substr(0, colon), 16);
    const auto last = proto::read_number<core::Sequence>(one.substr(colon + 1));
    if (!epoch || !last) return std::nullopt;
    older.push_back({.epoch = *epoch, .end = *last});
    text.remove_prefix(end + 1);
  }
  const auto current = proto::read_number<proto::Epoch>(text, 16);
  return current ? core::Epochs::kept(*current, std::move(older)) : std::nullopt;
}

}  // namespace tocsin::net
