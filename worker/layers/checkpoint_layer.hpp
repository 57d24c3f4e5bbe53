#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

namespace mdl::worker::layers {

/// Runs `layer(x)` so that nothing between `x` and the result is kept for the backward pass, which runs the layer again
/// instead (gradient checkpointing): a third more work for a fraction of the memory. Values and gradients are the same,
/// also with dropout: the random state is set back for the second run.
///
/// `trained` are the tensors inside the layer that need gradients. They go through the outer graph, so that their
/// gradients arrive as without checkpointing: hooks on their accumulation, which c10d::Reducer uses, fire once, as soon
/// as they are ready. `layer` must stay valid until the backward pass, must compute the same again, and may read only
/// constants besides these.
at::Tensor checkpoint_layer(const std::function<at::Tensor(const at::Tensor&)>& layer, const at::Tensor& x,
                            const std::vector<at::Tensor>& trained);

}  // namespace mdl::worker::layers
