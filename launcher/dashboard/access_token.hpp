#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace mdl::launcher::dashboard {

/// 128 bits of the kernel's random numbers, as hexadecimal digits.
std::string random_digits();

/// What the address of a page ends in that others than this machine can reach: who does not have it gets nothing.
class AccessToken {
 public:
  static AccessToken make() { return AccessToken(random_digits()); }
  explicit AccessToken(std::string text) : text_(std::move(text)) {}

  /// "?token=…", for an address.
  std::string query() const { return "?token=" + text_; }
  /// Whether a request's query has it. How long that takes does not tell how much of a wrong one is right.
  bool is_in(std::string_view query) const;

 private:
  std::string text_;
};

/// The value of a field in a query ("a=1&b=2"), as it stands there; empty where there is none.
std::string_view query_field(std::string_view query, std::string_view name);

}  // namespace mdl::launcher::dashboard
