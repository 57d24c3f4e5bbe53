#ifdef __x86_64__
#include "worker/kernels/row_loops.hpp"

namespace mdl::worker::kernels {

extern const Kernels kAvx512Kernels;
const Kernels kAvx512Kernels = kernels_named("AVX-512");

}  // namespace mdl::worker::kernels
#endif
