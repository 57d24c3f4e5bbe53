#include "worker/convert/data_files.hpp"

#include "worker/cli/progress_bar.hpp"
#include "worker/convert/row_group.hpp"
#include "worker/dataset/parallel.hpp"

namespace mdl::worker::convert {
namespace {

/// Thrown out of a data file that has bad rows, so that it is not kept.
struct BadRows {};

}  // namespace

MissingFiles find_missing_files(const DatasetPlan& plan, const PartialFolder& folder, std::span<const Row> rows) {
  MissingFiles missing;
  for (std::size_t shard = 0; shard < plan.shards.size(); ++shard) {
    const bool found = folder.has(plan.file_name(shard));
    if (!found) { missing.shards.push_back(shard); }
    for (std::size_t group = plan.shards[shard].first; group < plan.shards[shard].last; ++group) {
      if (found) {
        missing.rows_found += std::ssize(plan.part_of(rows, group));
      } else {
        missing.groups.push_back(group);
        missing.bytes += plan.group_bytes[group];
      }
    }
  }
  return missing;
}

std::vector<RowProblem> make_data_files(const MissingFiles& missing, const DatasetPlan& plan, std::span<const Row> rows,
                                        const RowReader& reader, const ConvertOptions& options,
                                        const std::filesystem::path& folder) {
  cli::ProgressBar progress({.what = "Converting", .total = std::ssize(rows), .found = missing.rows_found});
  dataset::OrderedPipeline<RowGroup> pipeline(missing.groups, options.workers, options.workers, [&](std::size_t group) {
    return convert_group(plan.part_of(rows, group), reader, options);
  });
  std::vector<RowProblem> problems;
  for (const std::size_t shard : missing.shards) {
    const auto fill = [&](const auto& write) {
      bool good = true;
      for (std::size_t group = plan.shards[shard].first; group < plan.shards[shard].last; ++group) {
        const RowGroup made = pipeline.take();
        if (options.skip_bad_rows) {
          for (const RowProblem& problem : made.problems) { warn_left_out(problem, options.input); }
        } else {
          good = good && made.problems.empty();
        }
        problems.insert(problems.end(), made.problems.begin(), made.problems.end());
        if (good && made.batch) { write(*made.batch); }
        progress.add(std::ssize(plan.part_of(rows, group)));
      }
      if (!good) { throw BadRows{}; }
    };
    try {
      write_shard(folder / plan.file_name(shard), options.encoding, fill);
    } catch (const BadRows&) {}
  }
  return problems;
}

}  // namespace mdl::worker::convert
