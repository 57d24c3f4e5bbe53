#include "worker/convert/converter.hpp"

#include <arrow/api.h>

#include <algorithm>
#include <mutex>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <set>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/log.hpp"
#include "common/str_cat.hpp"
#include "worker/audio/audio_file.hpp"
#include "worker/convert/fingerprint.hpp"
#include "worker/convert/parallel.hpp"
#include "worker/convert/partial_folder.hpp"
#include "worker/convert/processor.hpp"
#include "worker/convert/progress_bar.hpp"
#include "worker/convert/shard_plan.hpp"

namespace mdl {
namespace fs = std::filesystem;
namespace {

/// What an address is taken for before it is fetched, in seconds.
constexpr std::int64_t kAssumedSeconds = 10;

/// What the check of a row found out.
struct CheckedRow {
  std::int64_t samples = 0;  ///< at the model's rate; assumed for an address
  std::int64_t tokens = 0;
  std::int64_t file_size = 0;
  std::int64_t file_time = 0;
};

CheckedRow check_row(const Row& row, const ConvertOptions& options, const Processor& processor) {
  if (!row.audio) throw Error("the column audio is empty");
  if (!row.prediction) throw Error("the column prediction is empty");
  const std::string audio = audio_of(row, options.defaults);
  const int rate = processor.audio().sample_rate;
  CheckedRow checked;
  if (is_url(audio)) {
    checked.samples = kAssumedSeconds * rate;
  } else {
    checked.samples = resampled_length(probe_audio(audio), rate);
    checked.file_size = static_cast<std::int64_t>(fs::file_size(audio));
    checked.file_time = fs::last_write_time(audio).time_since_epoch().count();
  }
  const auto encoded = processor.encode(conversation_of(row, options.defaults), {checked.samples}, false);
  checked.tokens = std::ssize(encoded.ids);
  return checked;
}

/// "what" of an error without its advice: one line for each row is enough.
std::string first_line(const std::exception& error) {
  const std::string text = error.what();
  return text.substr(0, text.find('\n'));
}

void warn(const RowProblem& problem, const fs::path& input) {
  log::warning(input.string(), ", row ", problem.number, " (line ", problem.line, ") is left out: ", problem.what);
}

/// Checks every row; takes the bad ones out of `file` when they may be left out.
std::vector<CheckedRow> check_rows(RowFile& file, const ConvertOptions& options, const Processor& processor) {
  std::vector<CheckedRow> checked(file.rows.size());
  std::vector<RowProblem> problems = file.problems;
  std::mutex mutex;
  ProgressBar progress("Checking rows", std::ssize(file.rows));
  parallel_for(file.rows.size(), options.workers, [&](std::size_t i) {
    std::optional<std::string> problem;
    try {
      checked[i] = check_row(file.rows[i], options, processor);
    } catch (const std::exception& error) {
      problem = first_line(error);
    }
    const std::lock_guard lock(mutex);
    progress.add(1);
    if (problem) problems.push_back({file.rows[i].number, file.rows[i].line, *problem});
  });
  if (problems.empty()) return checked;
  std::set<std::int64_t> bad;
  for (const RowProblem& problem : problems) bad.insert(problem.number);
  if (!options.skip_bad_rows || bad.size() >= file.rows.size()) {
    throw UsageError(describe_problems(problems, options.input),
                     "Nothing was written. Correct these rows or take them out.");
  }
  for (const RowProblem& problem : problems) warn(problem, options.input);
  std::vector<CheckedRow> good;
  std::vector<Row> rows;
  for (std::size_t i = 0; i < checked.size(); ++i) {
    if (bad.count(file.rows[i].number)) continue;
    good.push_back(checked[i]);
    rows.push_back(file.rows[i]);
  }
  file.rows = std::move(rows);
  return good;
}

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

ConvertedRow convert_row(const Row& row, const ConvertOptions& options, const Processor& processor) {
  const std::string audio = audio_of(row, options.defaults);
  const int rate = processor.audio().sample_rate;
  ConvertedRow converted;
  converted.waveform =
      is_url(audio) ? load_audio(download(audio, options.downloads), audio, rate) : load_audio(fs::path(audio), rate);
  auto encoded = processor.encode(conversation_of(row, options.defaults), {std::ssize(converted.waveform)}, false);
  converted.input_ids = std::move(encoded.ids);
  converted.labels = std::move(encoded.labels);
  return converted;
}

Group convert_group(std::span<const Row> rows, const ConvertOptions& options, const Processor& processor) {
  Group group;
  std::vector<ConvertedRow> converted;
  for (const Row& row : rows) {
    try {
      converted.push_back(convert_row(row, options, processor));
    } catch (const std::exception& error) {
      group.problems.push_back({row.number, row.line, first_line(error)});
    }
  }
  const bool usable = group.problems.empty() || (options.skip_bad_rows && !converted.empty());
  if (usable) group.batch = make_record_batch(converted, processor.pad_token(), options.encoding);
  return group;
}

/// What all rows have in common.
Fingerprint common_fingerprint(const ConvertOptions& options, const Processor& processor) {
  Fingerprint print;
  print.add(read_text(options.model_folder / "tokenizer.json"));
  print.add(processor.chat_template().source());
  const AudioSettings& audio = processor.audio();
  for (const std::string& text : {audio.audio_token, audio.audio_bos_token, audio.audio_eos_token}) print.add(text);
  for (const std::int64_t value :
       {static_cast<std::int64_t>(audio.sample_rate), static_cast<std::int64_t>(audio.subsampling),
        static_cast<std::int64_t>(processor.pad_token()), static_cast<std::int64_t>(options.group_size),
        static_cast<std::int64_t>(options.encoding)}) {
    print.add(value);
  }
  return print;
}

void add_row(Fingerprint& print, const Row& row, const CheckedRow& checked, const ConvertOptions& options) {
  for (const Message& message : conversation_of(row, options.defaults)) {
    print.add(message.role);
    for (const ContentPart& part : message.content) print.add(part.value);
  }
  for (const std::int64_t value : {checked.samples, checked.tokens, checked.file_size, checked.file_time})
    print.add(value);
}

/// What the dataset in a folder was made from; empty when there is none.
std::string fingerprint_of(const fs::path& dataset) {
  try {
    return nlohmann::json::parse(read_text(dataset / "state.json")).at("_fingerprint").get<std::string>();
  } catch (const std::exception&) {
    return {};
  }
}

/// Thrown out of a data file that has bad rows, so that it is not kept.
struct BadRows {};

}  // namespace

ConvertSummary convert_dataset(const ConvertOptions& options) {
  RowFile file = read_rows(options.input);
  const std::int64_t rows_given = std::ssize(file.rows);
  PartialFolder::check_target(options.output);
  const Processor processor = Processor::load(options.model_folder);
  const std::vector<CheckedRow> checked = check_rows(file, options, processor);

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
  const Fingerprint common = common_fingerprint(options, processor);
  Fingerprint whole = common;
  for (std::size_t shard = 0; shard < shards.size(); ++shard) {
    Fingerprint print = common;
    for (std::size_t i = shards[shard].first * options.group_size;
         i < std::min(shards[shard].last * options.group_size, rows.size()); ++i) {
      add_row(print, rows[i], checked[i], options);
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
  PartialFolder folder(options.output, plan);
  ConvertSummary summary{.rows = std::ssize(rows),
                         .bad_rows = rows_given - std::ssize(rows),
                         .bytes = 0,
                         .shards = shards.size(),
                         .shards_found = 0};
  std::vector<std::size_t> missing;  // groups
  std::int64_t missing_bytes = 0;
  ProgressBar progress("Converting", std::ssize(rows));
  for (std::size_t shard = 0; shard < shards.size(); ++shard) {
    const bool found = folder.has(shard_name(shard, shards.size()));
    summary.shards_found += found;
    for (std::size_t group = shards[shard].first; group < shards[shard].last; ++group) {
      if (found) {
        progress.add(std::ssize(part_of(rows, group)));
      } else {
        missing.push_back(group);
        missing_bytes += sizes[group];
      }
    }
  }
  folder.require_space(missing_bytes);

  OrderedPipeline<Group> pipeline(missing, options.workers, options.workers, [&](std::size_t group) {
    return convert_group(part_of(rows, group), options, processor);
  });
  std::vector<RowProblem> problems;
  for (std::size_t shard = 0; shard < shards.size(); ++shard) {
    const fs::path path = folder.path() / shard_name(shard, shards.size());
    if (fs::exists(path)) continue;
    try {
      write_shard(path, options.encoding, [&](const auto& write) {
        bool good = true;
        for (std::size_t group = shards[shard].first; group < shards[shard].last; ++group) {
          const Group made = pipeline.take();
          if (options.skip_bad_rows) {
            for (const RowProblem& problem : made.problems) warn(problem, options.input);
            summary.bad_rows += std::ssize(made.problems);
            summary.rows -= std::ssize(made.problems);
          } else {
            problems.insert(problems.end(), made.problems.begin(), made.problems.end());
            good = good && made.problems.empty();
          }
          if (good && made.batch) write(*made.batch);
          progress.add(std::ssize(part_of(rows, group)));
        }
        if (!good) throw BadRows{};
      });
    } catch (const BadRows&) {
    }
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

}  // namespace mdl
