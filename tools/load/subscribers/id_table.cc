#include "tools/load/subscribers/id_table.h"

#include "proto/assert.h"

namespace tocsin::load {

IdTable::Handle IdTable::hold(std::string_view text) {
  if (text.empty()) return nullptr;
  if (last_ == nullptr || last_->first != text) {
    auto found = entries_.find(text);
    if (found == entries_.end()) found = entries_.emplace(text, 0).first;
    last_ = &*found;
  }
  ++last_->second;
  return last_;
}

void IdTable::release(Handle handle) {
  if (handle == nullptr) return;
  auto* entry = const_cast<Entry*>(handle);
  TOCSIN_ASSERT(entry->second > 0);
  if (--entry->second > 0) return;
  if (entry == last_) last_ = nullptr;
  entries_.erase(entries_.find(entry->first));
}

}  // namespace tocsin::load
