// What a run says about itself while it lasts.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>

#include "net/base/mutex.h"
#include "tools/load/figures/load_result.h"

namespace tocsin::load {

// On a terminal one line that is rewritten in place; elsewhere a line for each phase; nothing if
// quiet. All functions may be called from any thread.
class Progress {
 public:
  // `out` is not owned and outlives this.
  Progress(std::FILE* out, bool quiet);
  ~Progress();  // leaves the terminal's line empty
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void phase(std::string_view name);
  // Rates are those since the sample before.
  void show(const Sample& sample);
  // A line of its own, above the progress.
  void note(std::string_view text);

 private:
  void clear_line() TOCSIN_LOCKS(requires_capability(mutex_));

  std::FILE* const out_;  // written to under the lock
  const bool quiet_;
  const bool is_terminal_;
  net::Mutex mutex_;
  std::string phase_ TOCSIN_LOCKS(guarded_by(mutex_));
  Sample last_ TOCSIN_LOCKS(guarded_by(mutex_));
};

// "12", "3.4 k", "5.6 M".
[[nodiscard]] std::string short_number(double value);

}  // namespace tocsin::load
