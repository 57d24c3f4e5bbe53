#pragma once

#include <cstdint>
#include <functional>

namespace mdl::worker::layers {

/// Calls work(begin, end) for stretches of 0 to count, none shorter than `grain` but where there is only one, on
/// LibTorch's own threads and as many of them as it takes itself (at::get_num_threads). LibTorch's products inside take
/// one thread each. What work throws is thrown here.
///
/// at::parallel_for() is no more than a loop in a file that is compiled without OpenMP; with it a program has an OpenMP
/// of its own beside LibTorch's wherever the wheel brings one under another name, and threads of both.
void spread_on_threads(int64_t count, int64_t grain, const std::function<void(int64_t begin, int64_t end)>& work);

}  // namespace mdl::worker::layers
