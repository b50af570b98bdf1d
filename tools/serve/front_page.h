// What `tocsin serve` has beside the hub: a page at / that says what this is and where to go on,
// and the README that it links to. A program that embeds the hub has neither.
#pragma once

#include "net/application.h"

namespace tocsin::tools {

[[nodiscard]] net::Application front_page();

}  // namespace tocsin::tools
