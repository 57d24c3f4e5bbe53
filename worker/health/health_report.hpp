#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace mdl::worker::health {

/// What one part of the examination has measured, or why it has not.
struct HealthPart {
  using Numbers = std::vector<std::pair<std::string, std::int64_t>>;

  std::string name{};          ///< "matrix_product"
  Numbers numbers{};           ///< "flop_per_s": 52'300'000'000; from 0 to 2^53
  std::string not_measured{};  ///< one line; empty where it was measured

  /// The number of that name, 0 where there is none.
  std::int64_t number(const std::string& key) const;
};

/// What one process says of its node, and of its GPU or the CPU.
struct HealthReport {
  std::string host{};
  int rank = 0, local_rank = 0, world_size = 1;
  bool on_gpu = false;
  std::string name{};             ///< "NVIDIA H200", "Intel(R) Xeon(R) …"; may be empty
  std::string type{};             ///< that it multiplies in: "bfloat16"
  int threads = 1;                ///< of LibTorch, on the CPU
  std::string output{};           ///< folder whose disk is measured; empty: none
  std::int64_t milliseconds = 0;  ///< that it took
  std::vector<HealthPart> parts{};

  /// Whether each part was measured.
  bool complete() const;
};

/// One line of JSON for other programs, version 1: {"mdl_toolkit_health": 1, "host": …, "rank": …, "matrix_product":
/// {"flop_per_s": …}, "disk": {"not_measured": "…"}, …}. Bytes that are no UTF-8 are replaced. At most 64 KiB.
std::string health_line(const HealthReport& report);

/// A few lines for people, with a line end each. Nothing in it steers a terminal.
std::string health_text(const HealthReport& report);

/// What a collective of `ranks` moves over each connection, whatever the number of ranks: an all-reduce of `bytes`
/// within `seconds` sends and receives 2(n-1)/n of them (the "bus bandwidth" of NCCL's own tests, PERFORMANCE.md). In
/// bytes/s.
std::int64_t bus_bandwidth(std::int64_t bytes, int ranks, double seconds);

}  // namespace mdl::worker::health
