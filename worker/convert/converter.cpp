#include "worker/convert/converter.hpp"

#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/file_overlap.hpp"
#include "common/str_cat.hpp"
#include "worker/convert/data_files.hpp"
#include "worker/convert/dataset_plan.hpp"
#include "worker/convert/partial_folder.hpp"
#include "worker/convert/row_reader.hpp"
#include "worker/processor/processor.hpp"

namespace mdl::worker::convert {
namespace fs = std::filesystem;
namespace {

/// What the dataset in a folder was made from; nothing when there is none.
std::optional<std::string> fingerprint_of(const fs::path& dataset) {
  try {
    return nlohmann::json::parse(read_text(dataset / "state.json")).at("_fingerprint").get<std::string>();
  } catch (const std::exception&) { return std::nullopt; }
}

/// Throws UsageError when the dataset would take the place of a folder that something it is made from lies in.
void check_sources_lie_elsewhere(const ConvertOptions& options, const std::vector<Row>& rows) {
  if (!fs::exists(options.output)) { return; }
  std::set<fs::path> folders;  // of the sounds
  for (const Row& row : rows) {
    if (row.audio && !audio::is_url(*row.audio)) {
      folders.insert(fs::path(audio_of(row, options.defaults)).parent_path());
    }
  }
  std::vector<std::pair<const char*, fs::path>> sources = {{"the file of rows", options.input},
                                                           {"the model's folder", options.model_folder}};
  for (const fs::path& folder : folders) { sources.emplace_back("the sounds' folder", folder.empty() ? "." : folder); }
  for (const auto& [what, path] : sources) {
    if (!lies_in(path, options.output)) { continue; }
    throw UsageError(str_cat("--output ", options.output.string(), " would be replaced, and ", what, " ", path.string(),
                             " lies there"),
                     "Give --output another folder.");
  }
}

void describe_made_dataset(const fs::path& folder, const DatasetPlan& plan, AudioEncoding encoding,
                           ConvertSummary& summary) {
  for (std::size_t shard = 0; shard < plan.shards.size(); ++shard) {
    summary.bytes += static_cast<std::int64_t>(fs::file_size(folder / plan.file_name(shard)));
  }
  write_dataset_description(folder, encoding, plan.shards.size(), summary.rows, summary.bytes, plan.fingerprint);
}

}  // namespace

ConvertSummary convert_dataset(const ConvertOptions& options) {
  RowFile file = read_rows(options.input);
  const std::int64_t rows_given = std::ssize(file.rows);
  check_sources_lie_elsewhere(options, file.rows);
  const FolderPlace place = PartialFolder::place_for(options.output);
  const processor::Processor processor = processor::Processor::load(options.model_folder);
  const RowReader reader(processor, options, RowPurpose::training);
  const std::vector<CheckedRow> checked = reader.check_all(file, options.input, options.skip_bad_rows);
  const DatasetPlan plan = plan_dataset(file.rows, checked, reader, options);
  ConvertSummary summary{.rows = std::ssize(file.rows),
                         .bad_rows = rows_given - std::ssize(file.rows),
                         .shards = plan.shards.size(),
                         .shards_found = plan.shards.size()};
  if (options.keep_same && fingerprint_of(options.output) == plan.fingerprint) { return summary; }

  if (!options.may_replace && fs::exists(options.output / "state.json")) {
    throw UsageError(str_cat(options.output.string(), " was made from other rows, options or tokens than ",
                             options.input.string(), " gives now, and checkpoints beside it were trained on it"),
                     "Give another --output; or --overwrite-output true, which removes the checkpoints; or remove that "
                     "folder, so that it is made anew.");
  }
  PartialFolder folder(place, plan.files);
  const MissingFiles missing = find_missing_files(plan, folder, file.rows);
  folder.require_space(missing.bytes);
  summary.shards_found -= missing.shards.size();
  const std::vector<RowProblem> problems = make_data_files(missing, plan, file.rows, reader, options, folder.path());
  if (!problems.empty() && !options.skip_bad_rows) {
    throw Error(describe_problems(problems, options.input),
                str_cat("The other data files are in ", folder.path().string(),
                        ". Correct the sounds and run the same command again: it goes on from there."));
  }
  summary.bad_rows += std::ssize(problems);
  summary.rows -= std::ssize(problems);
  describe_made_dataset(folder.path(), plan, options.encoding, summary);
  folder.publish();
  return summary;
}

}  // namespace mdl::worker::convert
