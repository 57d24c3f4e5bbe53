#pragma once

#include <string>

#include "worker/adapter/base_model.hpp"

namespace mdl::worker::adapter {

/// The README.md beside an adapter: what the folder holds and how to load it, with this program and with PEFT, which
/// knows nothing of the moved statistics: those of the module `init_bn`. A model of ModelScope comes from there, as
/// PEFT would look for its name at Hugging Face.
std::string adapter_readme(const BaseModel& base_model, const std::string& init_bn);

}  // namespace mdl::worker::adapter
