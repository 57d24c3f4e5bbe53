#include "worker/convert/converter.hpp"

#include <arrow/api.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/file_overlap.hpp"
#include "common/str_cat.hpp"
#include "worker/cli/progress_bar.hpp"
#include "worker/convert/partial_folder.hpp"
#include "worker/convert/row_reader.hpp"
#include "worker/convert/shard_plan.hpp"
#include "worker/dataset/fingerprint.hpp"
#include "worker/dataset/parallel.hpp"
#include "worker/processor/processor.hpp"

namespace mdl::worker::convert {
namespace fs = std::filesystem;
namespace {

/// Bytes that a group takes in a data file.
std::int64_t group_bytes(std::span<const CheckedRow> rows, AudioEncoding encoding) {
  std::int64_t tokens = 0, longest = 0, all = 0;
  for (const CheckedRow& row : rows) {
    tokens = std::max(tokens, row.tokens);
    longest = std::max(longest, row.samples);
    all += row.samples;
  }
  constexpr std::int64_t kTokenBytes = 4 + 1 + 8, kRowBytes = 8 + 4 * 4;
  const std::int64_t audio = encoding == AudioEncoding::pcm16 ? 2 * all : 4 * longest * std::ssize(rows);
  return audio + std::ssize(rows) * (tokens * kTokenBytes + kRowBytes);
}

/// A group of rows that was converted, or what is wrong with some of them.
struct Group {
  std::shared_ptr<arrow::RecordBatch> batch;
  std::vector<RowProblem> problems;
};

Group convert_group(std::span<const Row> rows, const RowReader& reader, text::tokenizer::TokenId pad_token,
                    const ConvertOptions& options) {
  Group group;
  std::vector<ConvertedRow> converted;
  for (const Row& row : rows) {
    try {
      converted.push_back(reader.read(row));
    } catch (const std::exception& error) { group.problems.push_back({row.number, row.line, problem_of(row, error)}); }
  }
  const bool usable = group.problems.empty() || (options.skip_bad_rows && !converted.empty());
  if (usable) { group.batch = make_record_batch(converted, pad_token, options.encoding); }
  return group;
}

/// What all rows have in common.
dataset::Fingerprint common_fingerprint(const ConvertOptions& options, const processor::Processor& processor) {
  dataset::Fingerprint print;
  print.add(read_text(options.model_folder / "tokenizer.json"));
  print.add(processor.chat_template().source());
  const processor::AudioSettings& audio = processor.audio();
  for (const std::string& text : {audio.audio_token, audio.audio_bos_token, audio.audio_eos_token}) { print.add(text); }
  for (const std::int64_t value :
       {static_cast<std::int64_t>(audio.sample_rate), static_cast<std::int64_t>(audio.subsampling),
        static_cast<std::int64_t>(processor.pad_token()), static_cast<std::int64_t>(options.group_size),
        static_cast<std::int64_t>(options.encoding)}) {
    print.add(value);
  }
  return print;
}

void add_row(dataset::Fingerprint& print, const std::vector<processor::Message>& conversation,
             const CheckedRow& checked) {
  for (const processor::Message& message : conversation) {
    print.add(message.role);
    for (const processor::ContentPart& part : message.content) { print.add(part.value); }
  }
  for (const std::int64_t value : {checked.samples, checked.tokens, checked.file_size, checked.file_time}) {
    print.add(value);
  }
}

/// What the dataset in a folder was made from; empty when there is none.
std::string fingerprint_of(const fs::path& dataset) {
  try {
    return nlohmann::json::parse(read_text(dataset / "state.json")).at("_fingerprint").get<std::string>();
  } catch (const std::exception&) { return {}; }
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
  std::vector<std::pair<const char*, fs::path>> sources = {{"the CSV file", options.input},
                                                           {"the model's folder", options.model_folder}};
  for (const fs::path& folder : folders) { sources.emplace_back("the sounds' folder", folder.empty() ? "." : folder); }
  for (const auto& [what, path] : sources) {
    if (!lies_in(path, options.output)) { continue; }
    throw UsageError(str_cat("--output ", options.output.string(), " would be replaced, and ", what, " ", path.string(),
                             " lies there"),
                     "Give --output another folder.");
  }
}

/// Thrown out of a data file that has bad rows, so that it is not kept.
struct BadRows {};

}  // namespace

ConvertSummary convert_dataset(const ConvertOptions& options) {
  RowFile file = read_rows(options.input);
  const std::int64_t rows_given = std::ssize(file.rows);
  check_sources_lie_elsewhere(options, file.rows);
  const FolderPlace place = PartialFolder::place_for(options.output);
  const processor::Processor processor = processor::Processor::load(options.model_folder);
  const RowReader reader(processor, options, RowPurpose::training);
  const std::vector<CheckedRow> checked = reader.check_all(file, options.input, options.skip_bad_rows);

  const std::span rows(file.rows);
  const std::size_t groups = (rows.size() + options.group_size - 1) / options.group_size;
  const auto part_of = [&](auto all, std::size_t group) {
    const std::size_t first = group * options.group_size;
    return all.subspan(first, std::min(options.group_size, all.size() - first));
  };
  std::vector<std::int64_t> sizes;
  for (std::size_t group = 0; group < groups; ++group) {
    sizes.push_back(group_bytes(part_of(std::span(checked), group), options.encoding));
  }
  const std::vector<Shard> shards = plan_shards(sizes, options.max_shard_bytes);

  PartialFolder::Plan plan;
  const dataset::Fingerprint common = common_fingerprint(options, processor);
  dataset::Fingerprint whole = common;
  for (std::size_t shard = 0; shard < shards.size(); ++shard) {
    dataset::Fingerprint print = common;
    for (std::size_t i = shards[shard].first * options.group_size;
         i < std::min(shards[shard].last * options.group_size, rows.size()); ++i) {
      add_row(print, reader.conversation(rows[i]), checked[i]);
    }
    plan[shard_name(shard, shards.size())] = print.hex();
    whole.add(print.hex());
  }
  if (options.keep_same && fingerprint_of(options.output) == whole.hex()) {
    return {.rows = std::ssize(rows),
            .bad_rows = rows_given - std::ssize(rows),
            .bytes = 0,
            .shards = shards.size(),
            .shards_found = shards.size()};
  }
  PartialFolder folder(place, plan);
  ConvertSummary summary{.rows = std::ssize(rows),
                         .bad_rows = rows_given - std::ssize(rows),
                         .bytes = 0,
                         .shards = shards.size(),
                         .shards_found = 0};
  std::vector<std::size_t> missing;  // groups
  std::int64_t missing_bytes = 0;
  std::int64_t rows_found = 0;
  for (std::size_t shard = 0; shard < shards.size(); ++shard) {
    const bool found = folder.has(shard_name(shard, shards.size()));
    summary.shards_found += found;
    for (std::size_t group = shards[shard].first; group < shards[shard].last; ++group) {
      if (found) {
        rows_found += std::ssize(part_of(rows, group));
      } else {
        missing.push_back(group);
        missing_bytes += sizes[group];
      }
    }
  }
  folder.require_space(missing_bytes);
  cli::ProgressBar progress({.what = "Converting", .total = std::ssize(rows), .found = rows_found});

  dataset::OrderedPipeline<Group> pipeline(missing, options.workers, options.workers, [&](std::size_t group) {
    return convert_group(part_of(rows, group), reader, processor.pad_token(), options);
  });
  std::vector<RowProblem> problems;
  for (std::size_t shard = 0; shard < shards.size(); ++shard) {
    const fs::path path = folder.path() / shard_name(shard, shards.size());
    if (fs::exists(path)) { continue; }
    try {
      write_shard(path, options.encoding, [&](const auto& write) {
        bool good = true;
        for (std::size_t group = shards[shard].first; group < shards[shard].last; ++group) {
          const Group made = pipeline.take();
          if (options.skip_bad_rows) {
            for (const RowProblem& problem : made.problems) { warn_left_out(problem, options.input); }
            summary.bad_rows += std::ssize(made.problems);
            summary.rows -= std::ssize(made.problems);
          } else {
            problems.insert(problems.end(), made.problems.begin(), made.problems.end());
            good = good && made.problems.empty();
          }
          if (good && made.batch) { write(*made.batch); }
          progress.add(std::ssize(part_of(rows, group)));
        }
        if (!good) { throw BadRows{}; }
      });
    } catch (const BadRows&) {}
  }
  if (!problems.empty()) {
    throw Error(describe_problems(problems, options.input),
                str_cat("The other data files are in ", folder.path().string(),
                        ". Correct the sounds and run the same command again: it goes on from there."));
  }
  for (std::size_t shard = 0; shard < shards.size(); ++shard) {
    summary.bytes += static_cast<std::int64_t>(fs::file_size(folder.path() / shard_name(shard, shards.size())));
  }
  write_dataset_description(folder.path(), options.encoding, shards.size(), summary.rows, summary.bytes, whole.hex());
  folder.publish();
  return summary;
}

}  // namespace mdl::worker::convert
