#include "launcher/output/last_lines.hpp"

namespace mdl::launcher::output {

void LastLines::end_line() {
  complete_.push_back(std::move(current_));
  current_.clear();
  if (complete_.size() > kLines) { complete_.pop_front(); }
}

void LastLines::feed(std::string_view bytes) {
  for (const char c : bytes) {
    if (c == '\n') {
      end_line();
      redraw_ = false;
    } else if (c == '\r') {
      redraw_ = true;
    } else {
      if (redraw_) { current_.clear(); }
      redraw_ = false;
      if (current_.size() < kLineBytes) { current_ += c; }
    }
  }
}

std::vector<std::string> LastLines::lines() const {
  std::vector<std::string> result(complete_.begin(), complete_.end());
  if (!current_.empty()) { result.push_back(current_); }
  while (!result.empty() && result.back().empty()) { result.pop_back(); }
  if (result.size() > kLines) { result.erase(result.begin()); }
  return result;
}

}  // namespace mdl::launcher::output
