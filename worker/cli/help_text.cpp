#include "worker/cli/help_text.hpp"

#include <vector>

#include "common/paragraph.hpp"
#include "common/str_cat.hpp"

namespace mdl::worker::cli {

std::string command_help(const std::string& usage, const std::string& about, std::span<const OptionText> options) {
  const std::size_t width = output_width();
  const std::string begin = "usage: mdl-toolkit ";
  std::vector<HelpRow> rows = {{"--help, -h", "this text"}};
  for (const OptionText& option : options) { rows.push_back({str_cat("--", option.name, " VALUE"), option.help}); }
  return str_cat(begin, wrapped(usage, width, begin.size()), "\n\n", wrapped(about, width), "\n\nOptions:\n",
                 help_rows(rows, text_column(rows), width));
}

}  // namespace mdl::worker::cli
