#include "launcher/dashboard/page.hpp"

#include <string_view>
#include <utility>

#include "common/base64.hpp"
#include "common/str_cat.hpp"
#include "launcher/dashboard/page_parts.hpp"

namespace mdl::launcher::dashboard {
namespace {

int digit_value(char digit) {
  return digit <= '9' ? digit - '0' : digit - 'a' + 10;
}

/// As a policy names what may run: 'sha256-…'.
std::string source_of(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(digit_value(hex[i]) * 16 + digit_value(hex[i + 1]));
  }
  return str_cat("'sha256-", base64_encode(bytes), "'");
}

void put(std::string& text, std::string_view mark, std::string_view part) {
  text.replace(text.find(mark), mark.size(), part);
}

}  // namespace

Page make_page() {
  const PageParts parts = page_parts();
  std::string html(parts.markup);
  put(html, "@STYLE@", parts.style);
  put(html, "@SCRIPT@", parts.script);
  Page page;
  page.html = std::make_shared<const std::string>(std::move(html));
  page.policy = str_cat("default-src 'none'; script-src ", source_of(parts.script_sha256), "; style-src ",
                        source_of(parts.style_sha256),
                        "; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors "
                        "'none'; require-trusted-types-for 'script'");
  return page;
}

}  // namespace mdl::launcher::dashboard
