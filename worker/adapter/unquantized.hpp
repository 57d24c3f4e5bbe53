#pragma once

#include <filesystem>
#include <memory>

#include "worker/adapter/lora.hpp"

namespace mdl::worker::adapter {

/// A model with the checkpoint's own weights, on the CPU, that carries the adapters, the modules trained whole and the
/// moved statistics of `trained`, whose linear layers are quantized: what can be merged and saved. (The Python tool
/// merges into the quantized weights and rounds the sum again.)
std::shared_ptr<model::MiDashengLM> unquantized_copy(model::MiDashengLM& trained, const LoraConfig& lora,
                                                     const std::filesystem::path& model_folder);

}  // namespace mdl::worker::adapter
