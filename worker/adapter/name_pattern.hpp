#pragma once

#include <memory>
#include <optional>
#include <string>

namespace mdl::worker::adapter {

/// A regular expression of Python's `re` over the names of layers, as PEFT's configurations hold them.
class NamePattern {
 public:
  /// Throws Error saying what is wrong with the expression, also where Python would understand it and this program does
  /// not.
  explicit NamePattern(std::string pattern);

  /// Whether the whole of `name` matches (re.fullmatch). Throws Error when the expression takes too long to tell.
  bool matches(const std::string& name) const { return span(name, nullptr).has_value(); }

  /// What the group (?P<GROUP>…) holds where the whole of `name` matches, else nothing. The expression must have it.
  std::optional<std::string> group(const std::string& name, const char* group) const { return span(name, group); }

 private:
  /// The text of the group, or of the match where that is null.
  std::optional<std::string> span(const std::string& name, const char* group) const;

  std::string pattern_;
  std::shared_ptr<const void> code_;
};

}  // namespace mdl::worker::adapter
