#pragma once

#include <cstdint>
#include <string>

namespace mdl::test::device {

/// What passed between host and device, of all threads, and what the device was asked to compute.
struct Traffic {
  int64_t kernels = 0;     ///< calls of operators, copies within the device among them
  int64_t host_reads = 0;  ///< where a host waits for the device: values or copies it takes from there, synchronize
  int64_t blocking_copies =
      0;                     ///< host to device, where the host waits too: blocking ones, and those of unpinned memory
  int64_t other_copies = 0;  ///< either way, of pinned memory and not blocking

  Traffic operator-(const Traffic& other) const;
};

enum class Wait { host_read, blocking_copy };

/// Since the program began.
Traffic traffic();

void count_kernel();
void count_other_copy();
/// Keeps the stack of the calling thread as well. `what`: "item", "aten::nonzero".
void count_wait(Wait wait, const std::string& what);

/// Forgets the stacks that were kept, not the counts.
void forget_stacks();

/// The waits since then: how often each happened, and the functions of this project that led to it, innermost first.
std::string describe_waits(Wait wait);

}  // namespace mdl::test::device
