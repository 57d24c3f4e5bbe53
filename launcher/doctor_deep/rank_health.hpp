#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/expected.hpp"

namespace mdl::launcher::doctor_deep {

/// A number that a process has measured of its node, or why it has not. Neither: it does not apply there.
struct Measured {
  std::optional<std::int64_t> value{};  ///< from 0 to 2^53
  std::string not_measured{};           ///< one printable line

  bool operator==(const Measured&) const = default;
};

/// What one process of `mdl-toolkit health` says of its GPU, or of its node's CPU.
struct RankHealth {
  int rank = 0;
  int local_rank = 0;
  bool on_gpu = false;
  std::string name{};  ///< "NVIDIA H200"; may be empty
  std::string type{};  ///< in which it multiplies: "bfloat16"

  Measured matrix_product{};   ///< FLOP/s
  Measured memory_copy{};      ///< bytes/s that are copied
  Measured node_all_reduce{};  ///< bytes/s of bus bandwidth, among the processes of the node
  Measured node_latency{};     ///< ns of an all-reduce of a few bytes
  Measured all_reduce{};       ///< the same two, among those of all nodes
  Measured latency{};
  Measured free_memory{};         ///< bytes
  Measured disk_write{};          ///< bytes/s
  Measured free_disk{};           ///< bytes
  Measured uncorrected_errors{};  ///< ECC errors of the GPU's memory since the driver was loaded
  Measured corrected_errors{};
  Measured pending_rows{};  ///< 1: memory that is broken is to be replaced at the next reset of the GPU
  Measured xid_errors{};    ///< that the driver has told of
  Measured last_xid{};      ///< the number of the last one; 0: there was none

  bool operator==(const RankHealth&) const = default;
};

inline constexpr std::size_t kLongestHealthLine = 64 * 1024;

/// Reads the line that `mdl-toolkit health --json true` prints. Unknown members are passed over; numbers that are
/// none, too large or below 0 are as if they were not there. The error says why it is no such line.
Expected<RankHealth, std::string> parse_health_line(std::string_view text);

/// As mdl-toolkit writes it, for the exchange between nodes. Reading throws json::exception for what
/// parse_health_line() refuses.
void to_json(nlohmann::json& json, const RankHealth& health);
void from_json(const nlohmann::json& json, RankHealth& health);

/// What one node says of itself.
struct NodeHealth {
  std::string problem{};  ///< why nothing was measured, or not by all processes; one printable line
  std::string advice{};   ///< what to do about the problem
  std::vector<RankHealth> ranks{};
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(NodeHealth, problem, advice, ranks)

}  // namespace mdl::launcher::doctor_deep
