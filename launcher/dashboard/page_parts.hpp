#pragma once

#include <string_view>

namespace mdl::launcher::dashboard {

/// What lies in launcher/dashboard/page, as CMake has put it into this program. Hashes are in hexadecimal digits.
struct PageParts {
  std::string_view markup;  ///< with @STYLE@ and @SCRIPT@ where these belong
  std::string_view style;
  std::string_view style_sha256;
  std::string_view script;
  std::string_view script_sha256;
};

PageParts page_parts();

}  // namespace mdl::launcher::dashboard
