#include "worker/model/quantized_weights.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "common/str_cat.hpp"
#include "worker/tensors/safetensors_dtype.hpp"

namespace mdl::worker::model {
namespace {

/// The last part of a tensor's name, by who writes it.
constexpr auto kPackedParts = std::to_array<std::pair<std::string_view, const char*>>({
    {"qweight", "GPTQ's or AWQ's"},
    {"qzeros", "GPTQ's or AWQ's"},
    {"weight_packed", "compressed-tensors'"},
    {"weight_scale", "compressed-tensors'"},
    {"weight_zero_point", "compressed-tensors'"},
    {"weight_scale_inv", "fine-grained fp8's"},
    {"absmax", "bitsandbytes'"},
    {"quant_map", "bitsandbytes'"},
    {"SCB", "bitsandbytes'"},
});

}  // namespace

std::string unquantized_variant(const std::string& decoder) {
  const char* variant = decoder == "qwen3" ? "mispeech/midashenglm-0.6b-fp32" : "mispeech/midashenglm-7b-1021-bf16";
  return str_cat("Take the variant of the model that is not quantized, for example ", variant,
                 ". --quantization 8bit or 4bit quantizes it when it is loaded.");
}

std::optional<std::string> find_quantized(const tensors::SafetensorsFolder& files) {
  for (const std::string& name : files.names()) {
    const at::ScalarType type = files.entry(name).dtype;
    if (c10::isFloat8Type(type)) { return str_cat(name, " is ", *tensors::safetensors_name(type)); }
    const std::string_view part = std::string_view(name).substr(name.rfind('.') + 1);
    const auto packed = std::ranges::find(kPackedParts, part, &std::pair<std::string_view, const char*>::first);
    if (packed != kPackedParts.end()) { return str_cat(name, " is of ", packed->second, " format"); }
  }
  return std::nullopt;
}

}  // namespace mdl::worker::model
