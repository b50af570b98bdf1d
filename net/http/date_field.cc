#include "net/http/date_field.h"

#include <chrono>

namespace tocsin::net {

std::string_view DateField::at(std::time_t seconds) {
  if (seconds != written_) {
    text_ = proto::to_http_date(std::chrono::sys_seconds{std::chrono::seconds(seconds)});
    written_ = seconds;
  }
  return {text_.data(), text_.size()};
}

}  // namespace tocsin::net
