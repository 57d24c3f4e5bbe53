#include "worker/hub/hub.hpp"

#include "worker/hub/huggingface.hpp"

namespace mdl::worker::hub {

std::unique_ptr<Hub> open_hub(bool from_modelscope, const process::Lookup& lookup) {
  if (from_modelscope) {
    throw UsageError("--from-modelscope true is not supported: this program downloads from Hugging Face only",
                     "Download the model and give its folder as --model-name.");
  }
  return std::make_unique<HuggingFace>(read_hub_settings(lookup));
}

}  // namespace mdl::worker::hub
