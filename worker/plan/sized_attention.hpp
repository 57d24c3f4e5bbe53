#pragma once

#include <torch/library.h>

namespace mdl::worker::plan {

/// Adds the attention of sized_device() to its library of aten: the kernels that a GPU would take, with what they
/// allocate.
void register_attention(torch::Library& aten);

}  // namespace mdl::worker::plan
