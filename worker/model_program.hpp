#pragma once

#include <filesystem>

namespace mdl::worker {

/// The program for the subcommands that compute with a model. They need LibTorch, which takes a quarter of a second and
/// 390 MiB to load; `mdl-toolkit` itself does without and turns into this program when it must.
///
/// Replaces this process, which stays the same for whoever started it (process id, environment, open files), by the
/// mdl-toolkit-model that lies beside this program. `argv`: the command line of main(). Throws Error when there is
/// none.
[[noreturn]] void become_model_program(char** argv);

/// The subcommand of mdl-toolkit-model by which `info` ends: what decides is what `train` does with a checkpoint before
/// it reads the weights. Its argument is the checkpoint's folder.
inline constexpr const char* kTellTrainable = "tell-trainable";

}  // namespace mdl::worker
