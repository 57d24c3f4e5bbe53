#include "worker/cli/locale_charset.hpp"

#include <langinfo.h>

#include <clocale>
#include <string_view>

namespace mdl::worker::cli {

bool locale_is_utf8() {
  const ::locale_t locale = ::newlocale(LC_CTYPE_MASK, "", nullptr);
  if (!locale) { return false; }
  const std::string_view charset = ::nl_langinfo_l(CODESET, locale);
  const bool utf8 = charset == "UTF-8" || charset == "utf8";
  ::freelocale(locale);
  return utf8;
}

}  // namespace mdl::worker::cli
