// What a chat's clients may say, and the form in which the others get it. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "proto/sse/event.h"
#include "tools/demo/timestamp.h"

namespace tocsin::demo {

inline constexpr std::size_t kMaxChatName = 32;       // code points
inline constexpr std::size_t kMaxChatMessage = 2000;  // bytes

// A name is seen by others who must not be deceived: no control characters, none that are
// invisible or turn the direction of writing, no blank at an end, not too long. `field`: what the
// error is to be told of. Nothing: it may be used. REQUIRES: valid UTF-8.
[[nodiscard]] std::optional<proto::InputError> check_chat_name(std::string_view name,
                                                               std::string_view field);
// Not blank, not too long.
[[nodiscard]] std::optional<proto::InputError> check_chat_message(std::string_view message);

// One message, in the form of its event's data:
// {"Type":"direct","From":"kitex","To":"hertz","Message":"hello","Timestamp":"2026-…"}
struct ChatMessage {
  std::string_view type;  // "broadcast" or "direct"; the event's type, too
  std::string_view from{};
  std::string_view to{};  // empty: everybody
  std::string_view text{};
  WallClock::time_point time{};
};
[[nodiscard]] std::string to_json(const ChatMessage& message);

// Who came or went, and who is here now:
// {"Type":"joined","From":"ann","Timestamp":"2026-…","Users":["ann","bob"],"Count":2}
struct ChatPresence {
  std::string_view type;  // "joined" or "left"
  std::string_view from{};
  WallClock::time_point time{};
  std::span<const std::string_view> users{};  // some of them, where there are many
  std::size_t count = 0;                      // all names
};
[[nodiscard]] std::string to_json(const ChatPresence& presence);

}  // namespace tocsin::demo
