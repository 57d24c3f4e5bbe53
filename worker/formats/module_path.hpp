#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mdl::worker::formats {

/// The dotted name of a module or tensor, as a place in the tree of modules.
class ModulePath {
 public:
  explicit ModulePath(std::string text) : text_(std::move(text)) {}

  const std::string& text() const { return text_; }
  std::string_view last() const { return std::string_view(text_).substr(text_.rfind('.') + 1); }
  ModulePath parent() const;
  bool ends_in_number() const;

  /// Steps up and down the tree from here to `other`.
  std::size_t steps_to(const ModulePath& other) const;

 private:
  std::vector<std::string_view> parts() const;

  std::string text_;
};

}  // namespace mdl::worker::formats
