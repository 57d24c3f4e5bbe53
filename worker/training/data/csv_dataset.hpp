#pragma once

#include <filesystem>
#include <string>

#include "worker/distributed/process_group.hpp"
#include "worker/training/train_options.hpp"

namespace mdl::worker::training::data {

/// The dataset folder for a CSV file of sounds and texts: OUTPUT/dataset-NAME, converted as convert-dataset does, or
/// left by an earlier run from the same rows, options and checkpoint. Rank 0 converts and the others wait for as long
/// as it takes; on a host that does not see rank 0's folder its first worker converts too.
///
/// Every rank calls it and gets the path, or the same Error. `name` is "train" or "eval".
std::filesystem::path convert_csv(const std::filesystem::path& csv, const std::string& name,
                                  const TrainOptions& options, const std::filesystem::path& model_folder,
                                  distributed::ProcessGroup& group, bool first_of_host);

}  // namespace mdl::worker::training::data
