#include "worker/health/command/all_reduce_speed.hpp"

#include <torch/torch.h>

#include <algorithm>

#include "worker/health/timed_repeats.hpp"

namespace mdl::worker::health::command {
namespace {

constexpr std::int64_t kFewBytes = 8;
constexpr std::int64_t kFirstBytes = std::int64_t{1} << 20;
constexpr std::int64_t kMostBytesOfGpu = std::int64_t{64} << 20, kMostBytesOfCpu = std::int64_t{16} << 20;
constexpr int kShareOfBudget = 10;  // that one all-reduce may take
constexpr int kMostRepeats = 50, kLeastRepeats = 3;

/// Adds up that many bytes of all ranks, to the end.
class Summing {
 public:
  Summing(distributed::ProcessGroup& group, at::Device device, std::int64_t bytes)
      : group_(group),
        tensor_(at::zeros({bytes / static_cast<std::int64_t>(sizeof(float))},
                          at::TensorOptions(device).dtype(at::kFloat))) {}

  void operator()() {
    group_.sum(tensor_);
    static_cast<void>(group_.fetch(tensor_.narrow(0, 0, 1)));  // on a GPU this is what waits
  }

  /// The median of so many, on this rank.
  std::chrono::nanoseconds repeat(int times) {
    return measure_repeats(std::ref(*this), {.budget = {}, .least = times, .most = times}).median;
  }

 private:
  distributed::ProcessGroup& group_;
  at::Tensor tensor_;
};

/// The mean of what all ranks have measured: the same on all of them.
std::chrono::nanoseconds agreed(distributed::ProcessGroup& group, at::Device device, std::chrono::nanoseconds own) {
  at::Tensor sum = at::full({1}, static_cast<std::int64_t>(own.count()), at::TensorOptions(device).dtype(at::kLong));
  group.sum(sum);
  const auto mean = group.fetch(sum).item<std::int64_t>() / group.world_size();
  return std::chrono::nanoseconds(std::max<std::int64_t>(mean, 1));
}

int repeats_within(std::chrono::nanoseconds budget, std::chrono::nanoseconds one) {
  return static_cast<int>(std::clamp<std::int64_t>(budget / one, kLeastRepeats, kMostRepeats));
}

}  // namespace

HealthPart::Numbers measure_all_reduce(distributed::ProcessGroup& group, at::Device device,
                                       std::chrono::nanoseconds budget) {
  const auto expectation = group.expect("the measuring of all-reduce");
  Summing few(group, device, kFewBytes);
  const auto first = agreed(group, device, few.repeat(kLeastRepeats));
  const auto latency = agreed(group, device, few.repeat(repeats_within(budget / 4, first)));

  const auto of_first = agreed(group, device, Summing(group, device, kFirstBytes).repeat(kLeastRepeats));
  std::int64_t bytes = kFirstBytes;
  auto expected = of_first;
  while (bytes < (device.is_cpu() ? kMostBytesOfCpu : kMostBytesOfGpu) && 2 * expected < budget / kShareOfBudget) {
    bytes *= 2;
    expected *= 2;
  }
  const int times = repeats_within(budget / 2, expected);
  const auto duration = agreed(group, device, Summing(group, device, bytes).repeat(times));
  const auto ranks = static_cast<int>(group.world_size());
  return {{"bytes_per_s", bus_bandwidth(bytes, ranks, std::chrono::duration<double>(duration).count())},
          {"latency_ns", latency.count()},
          {"bytes", bytes},
          {"ranks", ranks},
          {"repeats", times}};
}

}  // namespace mdl::worker::health::command
