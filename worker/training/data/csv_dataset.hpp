#pragma once

#include <filesystem>
#include <string>

#include "worker/distributed/process_group.hpp"
#include "worker/training/train_options.hpp"

namespace mdl::worker::training::data {

/// Where a file of rows is converted to: OUTPUT/dataset-train, -train-2 of the second one, …; `name` is "train" or
/// "eval".
std::filesystem::path converted_folder(const TrainOptions& options, const std::string& name, std::size_t index);

/// The dataset folder `output` of a file of rows, converted as convert-dataset does, or left by an earlier run from the
/// same rows, options and checkpoint. Rank 0 converts and the others wait for as long as it takes; on a host that does
/// not see rank 0's folder its first worker converts too. What checkpoints in OUTPUT were trained on is replaced with
/// --overwrite-output alone.
///
/// Every rank calls it, or gets the same Error.
void convert_csv(const std::filesystem::path& csv, const std::filesystem::path& output, const TrainOptions& options,
                 const std::filesystem::path& model_folder, distributed::ProcessGroup& group, bool first_of_host);

}  // namespace mdl::worker::training::data
