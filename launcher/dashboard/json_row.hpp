#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace mdl::launcher::dashboard {

/// An array of JSON, field by field, without the nulls at its end. What is not known is null; numbers have six digits
/// that count, and those that are none are "nan", "inf" and "-inf".
class JsonRow {
 public:
  void count(std::optional<std::int64_t> value);
  /// As a count, but null for 0.
  void number(std::int64_t value);
  void value(std::optional<double> value);
  /// To a tenth.
  void seconds(std::optional<double> value);
  /// Null when it is empty.
  void text(const std::string& value);

  std::string take() { return std::move(text_) + "]"; }

 private:
  void field(const char* begin, const char* end);
  void null() { ++nulls_; }

  std::string text_ = "[";
  std::size_t nulls_ = 0;  ///< that are not written yet
};

}  // namespace mdl::launcher::dashboard
