#pragma once

#include <filesystem>

#include "worker/model/midashenglm.hpp"
#include "worker/model/safetensors.hpp"

namespace mdl {

/// The running statistics of audio_encoder.init_bn, which training moves though they are no part of an adapter. The
/// tensors are the model's own.
NamedTensors running_statistics(MiDashengLM& model);

/// The file beside a checkpoint's adapter that keeps them. The Python tool has none and so loses them when it resumes.
inline constexpr const char* kRunningStatisticsFile = "batch_norm.safetensors";

void save_running_statistics(MiDashengLM& model, const std::filesystem::path& file);

/// Throws Error when the file cannot be read or belongs to another model.
void load_running_statistics(MiDashengLM& model, const std::filesystem::path& file);

}  // namespace mdl
