#include "worker/hub/hub.hpp"

#include "worker/hub/huggingface.hpp"
#include "worker/hub/modelscope.hpp"

namespace mdl::worker::hub {

std::unique_ptr<Hub> open_hub(bool from_modelscope, const process::Lookup& lookup) {
  if (from_modelscope) { return std::make_unique<Modelscope>(lookup); }
  return std::make_unique<HuggingFace>(lookup);
}

}  // namespace mdl::worker::hub
