#pragma once

#include <memory>
#include <string>

namespace mdl::worker::metrics {

/// A regular expression and what stands in the place of each of its matches: Python's re.sub on text, with $1 for what
/// a group holds.
class Substitution {
 public:
  Substitution(const char* pattern, const char* replacement);

  /// `text` is UTF-8.
  std::string apply(const std::string& text) const;

 private:
  std::shared_ptr<const void> code_;
  const char* replacement_;
};

}  // namespace mdl::worker::metrics
