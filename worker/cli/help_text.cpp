#include "worker/cli/help_text.hpp"

#include <utility>
#include <vector>

#include "common/join.hpp"
#include "common/paragraph.hpp"
#include "common/str_cat.hpp"
#include "worker/cli/spellings.hpp"

namespace mdl::worker::cli {
namespace {

struct Section {
  std::string title;
  std::vector<HelpRow> rows;
};

HelpRow row_of(const OptionText& option) {
  const std::string help = option.help;
  const bool appended = option.fallback && !help.ends_with(')');
  return {str_cat("--", option.name, " VALUE"), appended ? str_cat(help, " (", option.fallback, ")") : help};
}

std::vector<Section> sections_of(std::span<const OptionText> options) {
  std::vector<Section> sections = {{"Options", {}}};
  for (const OptionText& option : options) {
    if (option.section && sections.back().rows.empty()) {
      sections.back().title = option.section;
    } else if (option.section) {
      sections.push_back({option.section, {}});
    }
    sections.back().rows.push_back(row_of(option));
  }
  const std::vector<HelpRow> of_all = {{"--help, -h", "this text"},
                                       {"--config FILE", "options from a YAML or JSON file; the command line's hold"},
                                       {"--print-config", "write such a file with these options to stdout, and end"}};
  if (sections.size() == 1) {
    sections.front().rows.insert(sections.front().rows.begin(), of_all.begin(), of_all.end());
  } else {
    sections.push_back({"Other", of_all});
  }
  return sections;
}

/// "--learning-rate for --lr, …"
std::string other_spellings(std::span<const OptionText> options) {
  std::vector<std::string> spellings;
  for (const OptionText& option : options) {
    for (const std::string& other : names_in(option.also)) {
      spellings.push_back(str_cat("--", other, " for --", option.name));
    }
  }
  return spellings.empty() ? "" : str_cat("Also understood: ", joined(spellings), ".");
}

}  // namespace

std::string command_help(const HelpPage& page, std::span<const OptionText> options) {
  const std::size_t width = output_width();
  const std::string begin = "usage: mdl-toolkit ";
  std::string text = str_cat(begin, wrapped(page.usage, width, begin.size()), "\n\n", wrapped(page.about, width), "\n");
  std::vector<HelpRow> all;
  const auto sections = sections_of(options);
  for (const Section& section : sections) { all.insert(all.end(), section.rows.begin(), section.rows.end()); }
  const std::size_t column = text_column(all);
  for (const auto& [title, rows] : sections) { text += str_cat("\n", title, ":\n", help_rows(rows, column, width)); }
  if (const std::string spellings = other_spellings(options); !spellings.empty()) {
    text += str_cat("\n", wrapped(spellings, width), "\n");
  }
  if (page.example.empty()) { return text; }
  text += "\nExample:\n";
  for (const char* line : page.example) { text += str_cat("  ", line, "\n"); }
  return text;
}

}  // namespace mdl::worker::cli
