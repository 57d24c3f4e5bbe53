#pragma once

#include "launcher/accelerate/config_file.hpp"
#include "launcher/accelerate/prompter.hpp"
#include "launcher/accelerate/wizard_texts.hpp"

namespace mdl::launcher::accelerate {

/// Asks what `accelerate config` (1.15.0) asks on a machine with CPUs and NVIDIA GPUs: the same questions in the same
/// order, with the same choices at the same places and the same presets, so that fingers that know one know the other.
/// Choices that need a Python engine are there, too, and lead back to their question with a word of explanation. `gpus`
/// are those of this machine, shown where it helps.
ConfigContent ask_configuration(Prompter& prompter, Language language, int gpus);

/// What `accelerate config default` writes: all GPUs of this machine, or one process on the CPU.
ConfigContent default_configuration(const std::string& mixed_precision, int gpus);

}  // namespace mdl::launcher::accelerate
