#pragma once

#include <string>

#include "worker/libraries/built_for.hpp"
#include "worker/libraries/torch_package.hpp"

namespace mdl::worker::libraries {

/// Whether programs that were `built` so run with `torch`: the same minor version, and the same flavour unless any will
/// do. Another one has other functions, or the same ones with other types, which shows as damaged memory at best.
bool fits(const TorchPackage& torch, const BuiltFor& built);

/// Throws Error with both versions and the command that helps, when it does not fit. `found_by` tells how it was found:
/// "MDL_TORCH".
void require_fitting(const TorchPackage& torch, const std::string& found_by, const BuiltFor& built = built_for());

/// "pip install "torch==2.15.*"", which brings what fits.
std::string install_command(const BuiltFor& built, bool of_flavour);

/// The LibTorch whose libraries this process has loaded must fit, too: LD_PRELOAD or LD_LIBRARY_PATH may lead the
/// loader elsewhere. Throws Error when it does not, or when its libraries come from several folders. Call before
/// anything of LibTorch is used.
void require_fitting_loaded();

}  // namespace mdl::worker::libraries
