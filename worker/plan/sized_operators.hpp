#pragma once

namespace mdl::worker::plan {

/// Tells LibTorch's dispatcher the operators of sized_device(): shapes without values. To be called once.
void register_operators();

}  // namespace mdl::worker::plan
