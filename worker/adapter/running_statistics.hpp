#pragma once

#include <filesystem>

#include "worker/model/midashenglm.hpp"
#include "worker/tensors/safetensors.hpp"

namespace mdl::worker::adapter {

/// The running statistics of audio_encoder.init_bn, which training moves though they are no part of an adapter. The
/// tensors are the model's own.
tensors::NamedTensors running_statistics(model::MiDashengLM& model);

/// The file beside an adapter that keeps them. PEFT and the Python tool know no such file: the tool loses them when it
/// resumes.
inline constexpr const char* kRunningStatisticsFile = "batch_norm.safetensors";

void save_running_statistics(model::MiDashengLM& model, const std::filesystem::path& file);

/// Reads those beside the adapter in `folder`; where there are none the model keeps its own. Throws Error when the file
/// cannot be read or belongs to another model.
void load_running_statistics(model::MiDashengLM& model, const std::filesystem::path& folder);

}  // namespace mdl::worker::adapter
