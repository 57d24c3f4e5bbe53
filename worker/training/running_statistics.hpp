#pragma once

#include <filesystem>

#include "worker/model/midashenglm.hpp"
#include "worker/model/safetensors.hpp"

namespace mdl {

/// The running statistics of audio_encoder.init_bn, which training moves though they are no part of an adapter. The
/// tensors are the model's own.
NamedTensors running_statistics(MiDashengLM& model);

/// The file beside an adapter that keeps them. PEFT and the Python tool know no such file: the tool loses them when it
/// resumes.
inline constexpr const char* kRunningStatisticsFile = "batch_norm.safetensors";

void save_running_statistics(MiDashengLM& model, const std::filesystem::path& file);

/// Reads those beside the adapter in `folder`; where there are none the model keeps its own. Throws Error when the file
/// cannot be read or belongs to another model.
void load_running_statistics(MiDashengLM& model, const std::filesystem::path& folder);

}  // namespace mdl
