#include "worker/reports/command/run_source.hpp"

#include <nlohmann/json.hpp>
#include <optional>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/json_nesting.hpp"
#include "common/parse_number.hpp"
#include "common/str_cat.hpp"
#include "worker/formats/json_file.hpp"
#include "worker/reports/page/log_reader.hpp"
#include "worker/reports/page/number_text.hpp"

namespace mdl::worker::reports::command {
namespace {

namespace fs = std::filesystem;

constexpr const char* kState = "trainer_state.json";
constexpr const char* kLines = "log.jsonl";
constexpr const char* kIdentity = "mdl_run.json";
constexpr const char* kSources =
    "report takes a run's output folder, a checkpoint's folder, a trainer_state.json or a log.jsonl.";

std::string read_bounded(const fs::path& file) {
  std::error_code error;
  const std::uintmax_t size = fs::file_size(file, error);
  if (!error && size > page::kMostLogBytes) {
    throw UsageError(str_cat(file.string(), " has ", page::bytes_text(static_cast<double>(size)), ", and at most ",
                             page::bytes_text(static_cast<double>(page::kMostLogBytes)), " are read"));
  }
  return read_text(file);
}

std::optional<std::int64_t> checkpoint_step(const fs::path& folder) {
  constexpr std::string_view kPrefix = "checkpoint-";
  const std::string name = folder.filename().string();
  if (!name.starts_with(kPrefix)) { return std::nullopt; }
  return parse_digits<std::int64_t>(std::string_view(name).substr(kPrefix.size()));
}

/// The checkpoint of the latest step that has a state.
std::optional<fs::path> newest_checkpoint(const fs::path& output) {
  std::optional<fs::path> newest;
  for (const auto& entry : fs::directory_iterator(output)) {
    const auto step = checkpoint_step(entry.path());
    if (!step || !fs::exists(entry.path() / kState)) { continue; }
    if (!newest || *step > *checkpoint_step(*newest)) { newest = entry.path(); }
  }
  return newest;
}

fs::path find_file(const fs::path& place) {
  std::error_code error;
  if (!fs::is_directory(place, error)) {
    if (fs::exists(place, error)) { return place; }
    throw UsageError(str_cat("there is no ", place.string()), kSources);
  }
  if (fs::exists(place / kState)) { return place / kState; }
  if (const auto checkpoint = newest_checkpoint(place)) { return *checkpoint / kState; }
  if (fs::exists(place / kLines)) { return place / kLines; }
  throw UsageError(str_cat(place.string(), " has no ", kState, ", no checkpoint-STEP with one, and no ", kLines),
                   kSources);
}

/// The settings in a checkpoint of ours.
page::FactTable options_of(const fs::path& file) {
  const std::string text = read_bounded(file);
  if (json_nesting(text) > kMaxJsonNesting) { throw UsageError(str_cat(file.string(), " is nested too deep")); }
  const nlohmann::json all = formats::parse_json(text, file);
  page::FactTable table{.title = "Options"};
  for (const char* part : {"identity", "options"}) {
    if (!all.is_object() || !all.contains(part) || !all.at(part).is_object()) { continue; }
    for (const auto& [name, value] : all.at(part).items()) {
      if (value.is_string()) { table.facts.push_back({name, value.get<std::string>()}); }
    }
  }
  return table;
}

void add_own_files(page::RunHistory& history, const fs::path& checkpoint) {
  const fs::path sidecar = checkpoint / page::kSidecarFile, identity = checkpoint / kIdentity;
  if (fs::exists(sidecar)) { history.sidecar = page::parse_sidecar(read_bounded(sidecar), sidecar); }
  if (fs::exists(identity)) { history.tables.push_back(options_of(identity)); }
}

}  // namespace

page::RunHistory read_run(const fs::path& place) {
  const fs::path file = find_file(place);
  const std::string text = read_bounded(file);
  if (file.extension() == ".jsonl") { return page::read_log_lines(text, file); }
  page::RunHistory history = page::read_trainer_state(text, file);
  add_own_files(history, file.parent_path());
  return history;
}

}  // namespace mdl::worker::reports::command
