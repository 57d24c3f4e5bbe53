#ifdef __x86_64__
#include "worker/kernels/row_loops.hpp"

namespace mdl::worker::kernels {

extern const Kernels kAvx2Kernels;
const Kernels kAvx2Kernels = kernels_named("AVX2");

}  // namespace mdl::worker::kernels
#endif
