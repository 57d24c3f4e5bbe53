#define PCRE2_CODE_UNIT_WIDTH 8
#include "worker/metrics/substitution.hpp"

#include <pcre2.h>

#include "common/error.hpp"
#include "common/str_cat.hpp"

namespace mdl::worker::metrics {
namespace {

PCRE2_SPTR bytes(const char* text) {
  return reinterpret_cast<PCRE2_SPTR>(text);
}

}  // namespace

Substitution::Substitution(const char* pattern, const char* replacement) : replacement_(replacement) {
  int fault = 0;
  PCRE2_SIZE at = 0;
  // Letters, digits and white space are Unicode's, as in Python.
  pcre2_code* const code =
      pcre2_compile(bytes(pattern), PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_UCP, &fault, &at, nullptr);
  if (!code) { throw Error(str_cat("the expression ", pattern, " cannot be read at ", at)); }
  code_ = std::shared_ptr<const void>(
      code, [](const void* owned) { pcre2_code_free(const_cast<pcre2_code*>(static_cast<const pcre2_code*>(owned))); });
}

std::string Substitution::apply(const std::string& text) const {
  const auto* const code = static_cast<const pcre2_code*>(code_.get());
  std::string result(2 * text.size() + 64, '\0');
  for (;;) {
    PCRE2_SIZE size = result.size();
    const int done = pcre2_substitute(
        code, bytes(text.data()), text.size(), 0, PCRE2_SUBSTITUTE_GLOBAL | PCRE2_SUBSTITUTE_OVERFLOW_LENGTH, nullptr,
        nullptr, bytes(replacement_), PCRE2_ZERO_TERMINATED, reinterpret_cast<PCRE2_UCHAR*>(result.data()), &size);
    if (done >= 0) {
      result.resize(size);
      return result;
    }
    if (done != PCRE2_ERROR_NOMEMORY) { throw Error(str_cat("a text cannot be searched (PCRE2 error ", done, ")")); }
    result.resize(size + 1);
  }
}

}  // namespace mdl::worker::metrics
