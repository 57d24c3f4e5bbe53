#include "worker/reports/command/report_command.hpp"

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <iostream>
#include <set>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/file_overlap.hpp"
#include "common/standard_streams.hpp"
#include "common/str_cat.hpp"
#include "worker/cli/command_line.hpp"
#include "worker/cli/help_text.hpp"
#include "worker/cli/option_values.hpp"
#include "worker/cli/printed_config.hpp"
#include "worker/reports/command/run_source.hpp"
#include "worker/reports/page/number_text.hpp"
#include "worker/reports/page/page.hpp"

namespace mdl::worker::reports::command {
namespace {

namespace fs = std::filesystem;

constexpr const char* kCommand = "report";
constexpr const char* kRuns = "run";
constexpr std::size_t kMostRuns = 16;

constexpr cli::OptionText kOptions[] = {
    {.name = "output", .help = "file to write", .fallback = "report.html", .takes = cli::kPath},
    {.name = kRuns,
     .help = "a run, as the arguments that stand alone; repeated, or a list in a configuration file (required)",
     .takes = cli::kList},
};

constexpr const char* kExample[] = {"mdl-toolkit report runs/lr-1e-4 runs/lr-2e-4 --output compared.html"};

constexpr cli::CommandSyntax kSyntax{.name = kCommand, .options = kOptions};

std::string help() {
  return cli::command_help(
      {.usage = "report DIR|FILE… [options]",
       .about = "Writes a page with the curves of a training run, or of several in one picture: one HTML file with "
                "nothing outside it. A run is the output folder of any Trainer, ours or Python's, of which the newest "
                "checkpoint counts; a checkpoint's folder; a trainer_state.json; or a log.jsonl.",
       .example = kExample},
      kOptions);
}

fs::path last_parts(const fs::path& place, std::ptrdiff_t count) {
  const std::vector<fs::path> parts(place.begin(), place.end());
  fs::path name;
  for (auto part = parts.end() - std::min<std::ptrdiff_t>(count, std::ssize(parts)); part != parts.end(); ++part) {
    name /= *part;
  }
  return name;
}

std::vector<page::RunHistory> read_runs(const std::vector<std::string>& places, const fs::path& output) {
  const std::vector<std::string> names = short_names(places);
  std::vector<page::RunHistory> runs;
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (is_same_file(places[i], output)) {
      throw UsageError(str_cat("--output ", output.string(), " is the log of a run"), "Give another --output.");
    }
    runs.push_back(read_run(places[i]));
    runs.back().name = names[i];
    if (runs.back().metrics.empty()) { throw UsageError(str_cat("nothing was logged in ", places[i])); }
  }
  return runs;
}

}  // namespace

std::vector<std::string> short_names(const std::vector<std::string>& places) {
  std::vector<fs::path> paths;
  std::ptrdiff_t longest = 1;
  for (const std::string& place : places) {
    fs::path path = fs::absolute(place).lexically_normal();
    paths.push_back(path.has_filename() ? path : path.parent_path());
    longest = std::max(longest, std::distance(paths.back().begin(), paths.back().end()));
  }
  for (std::ptrdiff_t count = 1;; ++count) {
    std::vector<std::string> names;
    for (const fs::path& path : paths) { names.push_back(last_parts(path, count).string()); }
    if (count >= longest || std::set(names.begin(), names.end()).size() == names.size()) { return names; }
  }
}

int report_command(const std::vector<std::string>& arguments) {
  cli::GivenOptions given = cli::parse_command_line(kSyntax, arguments);
  if (given.asks_for_help()) {
    std::cout << help();
    return 0;
  }
  if (!given.standing().empty()) { given.set(kRuns, given.standing()); }
  if (given.prints_config()) {
    std::cout << cli::printed_config(kSyntax, given);
    require_written_output();
    return 0;
  }
  const std::vector<std::string>& places = given.values(kRuns);
  if (places.empty()) { throw UsageError("no run is named", "For example: mdl-toolkit report output"); }
  if (places.size() > kMostRuns) {
    throw UsageError(str_cat(places.size(), " runs are too many for one picture: it has room for ", kMostRuns));
  }
  const cli::OptionValues values(given, kCommand);
  const fs::path output = values.text_or_none("output").value_or("report.html");
  const std::vector<page::RunHistory> runs = read_runs(places, output);
  write_text_atomically(output, page::page_html(runs, {.time = std::time(nullptr)}));
  std::cout << output.string() << ": " << runs.size() << (runs.size() == 1 ? " run" : " runs");
  for (const page::RunHistory& run : runs) {
    std::cout << (&run == &runs.front() ? ", " : " and ") << page::grouped(run.last_step);
  }
  std::cout << " steps\n";
  require_written_output();
  return 0;
}

}  // namespace mdl::worker::reports::command
