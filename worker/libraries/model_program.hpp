#pragma once

#include "worker/libraries/built_for.hpp"

namespace mdl::worker::libraries {

inline constexpr const char* kModelProgram = "mdl-toolkit-model";
inline constexpr const char* kModelCpuProgram = "mdl-toolkit-model-cpu";

/// The program that computes with a model.
struct ModelProgram {
  const char* name;
  BuiltFor built;  ///< the libraries that it runs with
};

/// What was `built` with CUDA has two of them, one of which loads nothing of CUDA: it starts in two thirds of the time,
/// takes 360 MiB less, and runs with a LibTorch of any flavour. It is for a machine where CUDA could open no `gpu`
/// (pure).
ModelProgram model_program(bool gpu, const BuiltFor& built = built_for());

/// That for this machine.
ModelProgram model_program_here();

}  // namespace mdl::worker::libraries
