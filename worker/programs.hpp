#pragma once

namespace mdl::worker {

/// mdl-toolkit is several programs. `mdl-toolkit` itself, which is small and needs nothing of the packages, finds
/// LibTorch and Arrow and turns into one of the others: mdl-toolkit-model or mdl-toolkit-model-cpu
/// (libraries/model_program.hpp) for what computes with a model, which takes LibTorch (with CUDA a quarter of a second
/// and 390 MiB to load), and mdl-toolkit-data for the rest, which takes Arrow.
inline constexpr const char* kFrontProgram = "mdl-toolkit";
inline constexpr const char* kOwnName = "mdl-toolkit-native";  ///< the same program, by the name that is ours alone
inline constexpr const char* kDataProgram = "mdl-toolkit-data";

/// The subcommand of mdl-toolkit-model by which `info` ends: what decides is what `train` does with a checkpoint before
/// it reads the weights. Its argument is the checkpoint's folder.
inline constexpr const char* kTellTrainable = "tell-trainable";

}  // namespace mdl::worker
