#include "worker/model/float32_model.hpp"

namespace mdl::worker::model {

bool needs_float32(const ModelConfig& config) {
  return config.audio.acoustic.has_value();
}

std::string blame_bfloat16(const ModelConfig& config, at::ScalarType dtype) {
  if (!needs_float32(config) || dtype != at::kBFloat16) { return {}; }
  return "; the published weights of this model are known for that in bfloat16";
}

std::string advise_float32(const ModelConfig& config, at::ScalarType dtype, const std::string& otherwise) {
  if (!needs_float32(config) || dtype != at::kBFloat16) { return otherwise; }
  return "Leave --bf16 true out: it runs in float32 then.";
}

}  // namespace mdl::worker::model
