#pragma once

namespace mdl::worker::libraries {

/// Sets what LibTorch reads from the environment, as its libraries are loaded or later, where the user has not:
///
/// - PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True. Batches of mixed lengths leave holes between the segments of a
///   GPU's memory that no later batch fits; segments that grow have none. Nothing where that variable or
///   PYTORCH_ALLOC_CONF, its newer name, is set. LibTorch 2.8 to 2.15 read the older one.
/// - TORCH_NCCL_ASYNC_ERROR_HANDLING=0. NCCL's watchdog would else end the process when a rank is lost, before rank 0
///   has saved what was trained: we look for its errors ourselves and keep the time, see distributed::PeerWatch. A
///   launcher of torch's kind gives its workers 1 where the user has set nothing, so there 1 counts as nothing.
/// - TORCH_FR_BUFFER_SIZE=2000, LibTorch's own default: its flight recorder keeps the last so many collectives of Gloo
///   and NCCL, for whoever asks why ranks wait. Nothing where that variable or TORCH_NCCL_TRACE_BUFFER_SIZE, its older
///   name, is set; 0 is none.
void set_torch_defaults();

}  // namespace mdl::worker::libraries
