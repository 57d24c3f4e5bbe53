#include "worker/adapter/name_pattern.hpp"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <array>

#include "common/error.hpp"
#include "common/str_cat.hpp"

namespace mdl::worker::adapter {
namespace {

constexpr uint32_t kMostSteps = 1'000'000;  ///< of a match; names have some 60 characters

std::string pcre2_message(int code) {
  std::array<PCRE2_UCHAR, 256> text{};
  pcre2_get_error_message(code, text.data(), text.size());
  return reinterpret_cast<const char*>(text.data());
}

}  // namespace

NamePattern::NamePattern(std::string pattern) : pattern_(std::move(pattern)) {
  // Both would be taken, but for something else than in Python.
  for (const char* other : {"{,", "[:"}) {
    if (pattern_.find(other) != std::string::npos) {
      throw Error(str_cat("\"", other, "\" in the regular expression ", pattern_, " is not supported"));
    }
  }
  int error = 0;
  PCRE2_SIZE offset = 0;
  pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern_.data()), pattern_.size(),
                                   PCRE2_UTF | PCRE2_ANCHORED | PCRE2_ENDANCHORED, &error, &offset, nullptr);
  if (!code) {
    throw Error(
        str_cat("cannot read the regular expression ", pattern_, ": ", pcre2_message(error), " at character ", offset));
  }
  code_ = std::shared_ptr<const void>(code, [](void* c) { pcre2_code_free(static_cast<pcre2_code*>(c)); });
}

std::optional<std::string> NamePattern::span(const std::string& name, const char* group) const {
  const auto* code = static_cast<const pcre2_code*>(code_.get());
  const std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> match(
      pcre2_match_data_create_from_pattern(code, nullptr), &pcre2_match_data_free);
  const std::unique_ptr<pcre2_match_context, decltype(&pcre2_match_context_free)> limits(
      pcre2_match_context_create(nullptr), &pcre2_match_context_free);
  pcre2_set_match_limit(limits.get(), kMostSteps);
  const int found =
      pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(name.data()), name.size(), 0, 0, match.get(), limits.get());
  if (found == PCRE2_ERROR_NOMATCH) { return std::nullopt; }
  if (found < 0) {
    throw Error(str_cat("cannot apply the regular expression ", pattern_, " to ", name, ": ", pcre2_message(found)));
  }
  const int number = group ? pcre2_substring_number_from_name(code, reinterpret_cast<PCRE2_SPTR>(group)) : 0;
  const PCRE2_SIZE* at = pcre2_get_ovector_pointer(match.get()) + 2 * static_cast<std::ptrdiff_t>(number);
  return name.substr(at[0], at[1] - at[0]);
}

}  // namespace mdl::worker::adapter
