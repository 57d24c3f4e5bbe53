#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "worker/dataset/dataset_folder.hpp"

namespace mdl::worker::info {

/// A row whose sound an earlier row has too, sample by sample.
struct Duplicate {
  std::int64_t row = 0, earlier = 0;  ///< from 0
  bool same_text = false;             ///< tokens and labels as well
};

/// All of a dataset, in the order of rows. Sounds are compared whole only where their lengths and a stretch in their
/// middle agree, so that little of a large dataset is read.
std::vector<Duplicate> find_duplicates(const dataset::DatasetFolder& dataset);

/// "none", or how many there are and the first of them; a line for each kind.
std::string describe_duplicates(const std::vector<Duplicate>& duplicates);

}  // namespace mdl::worker::info
