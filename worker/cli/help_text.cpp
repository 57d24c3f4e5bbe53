#include "worker/cli/help_text.hpp"

#include <algorithm>

#include "common/paragraph.hpp"
#include "common/str_cat.hpp"

namespace mdl::worker::cli {
namespace {

constexpr std::size_t kWidestNames = 30;  // longer ones have their text below them

}  // namespace

std::string help_rows(std::span<const HelpRow> rows, std::size_t width) {
  std::size_t column = 0;
  for (const HelpRow& row : rows) {
    const std::size_t names = row.name.size() + 4;
    if (names <= kWidestNames) { column = std::max(column, names); }
  }
  std::string text;
  for (const HelpRow& row : rows) {
    std::string names = "  " + row.name;
    if (names.size() + 2 > column) {
      text += names + "\n";
      names.clear();
    }
    names.resize(column, ' ');
    text += str_cat(names, wrapped(row.text, width, column), "\n");
  }
  return text;
}

std::string command_help(const std::string& usage, const std::string& about, std::span<const OptionText> options) {
  const std::size_t width = output_width();
  const std::string begin = "usage: mdl-toolkit ";
  std::vector<HelpRow> rows = {{"--help, -h", "this text"}};
  for (const OptionText& option : options) { rows.push_back({str_cat("--", option.name, " VALUE"), option.help}); }
  return str_cat(begin, wrapped(usage, width, begin.size()), "\n\n", wrapped(about, width), "\n\nOptions:\n",
                 help_rows(rows, width));
}

}  // namespace mdl::worker::cli
