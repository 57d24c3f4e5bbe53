#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "worker/convert/convert_options.hpp"
#include "worker/convert/partial_folder.hpp"
#include "worker/convert/row_reader.hpp"
#include "worker/convert/shard_plan.hpp"

namespace mdl::worker::convert {

/// How the rows of a conversion become data files: rows in groups, groups in files.
struct DatasetPlan {
  std::size_t group_size = 1;
  std::vector<std::int64_t> group_bytes{};  ///< of each group
  std::vector<Shard> shards{};              ///< the data files, as ranges of groups
  PartialFolder::Plan files{};              ///< their names, and fingerprints of what each is made from
  std::string fingerprint{};                ///< of what the whole dataset is made from

  std::string file_name(std::size_t shard) const { return shard_name(shard, shards.size()); }

  /// The part of `all`, which is parallel to the rows, that is of one group.
  auto part_of(auto all, std::size_t group) const {
    const std::size_t first = group * group_size;
    return all.subspan(first, std::min(group_size, all.size() - first));
  }
};

/// Plans a dataset of rows that were checked; `checked` is parallel to `rows`.
DatasetPlan plan_dataset(std::span<const Row> rows, std::span<const CheckedRow> checked, const RowReader& reader,
                         const ConvertOptions& options);

}  // namespace mdl::worker::convert
