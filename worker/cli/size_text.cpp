#include "worker/cli/size_text.hpp"

#include <array>
#include <cstdio>

#include "common/str_cat.hpp"

namespace mdl::worker::cli {

std::string size_text(std::int64_t bytes) {
  if (bytes < 1000) { return str_cat(bytes, " bytes"); }
  constexpr std::array<const char*, 4> kUnits = {"kB", "MB", "GB", "TB"};
  double size = static_cast<double>(bytes) / 1000;
  std::size_t unit = 0;
  for (; size >= 1000 && unit + 1 < kUnits.size(); ++unit) { size /= 1000; }
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f %s", size, kUnits[unit]);
  return text.data();
}

}  // namespace mdl::worker::cli
