#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mdl::launcher::flight {

/// How far an operation has come, as this rank knows it. Of Gloo's, torch records only that they are done.
enum class FlightState : unsigned char { scheduled, started, completed };

/// One operation that a rank has taken part in, or wants to. Texts are printable and short.
struct FlightEntry {
  std::int64_t sequence = 0;  ///< within its group: 1 for the first collective; send and receive are counted apart
  bool p2p = false;           ///< send or receive
  std::string operation{};    ///< "all_reduce", "send 0->1", as torch names it, without the library
  FlightState state = FlightState::scheduled;
  std::string input_sizes{};    ///< "[[1024], [5, 3]]"; long ones are cut and end in a hash, so that equal is equal
  std::string output_sizes{};   ///< the same
  std::string types{};          ///< of the inputs and, where they differ, of the outputs: "Float", "Float>Double"
  std::int64_t created_ns = 0;  ///< since the epoch, by the clock of the node

  bool operator==(const FlightEntry&) const = default;
};

/// What a rank has done in one process group.
struct FlightGroup {
  std::string library{};              ///< "gloo", "nccl"; empty while nothing was done
  std::string name{};                 ///< torch's own: "0"
  std::string description{};          ///< "default_pg"; empty where torch has none
  std::vector<std::int64_t> ranks{};  ///< global, sorted; empty where they are not known
  // Numbers of collectives; nullopt: none so far, or not known.
  std::optional<std::int64_t> enqueued{};   ///< the last one that this rank has come to
  std::optional<std::int64_t> started{};    ///< the last one that is on its way
  std::optional<std::int64_t> completed{};  ///< the last one that is done
  std::vector<FlightEntry> entries{};       ///< the oldest first; the newest, and the first that is not done

  bool operator==(const FlightGroup&) const = default;
};

/// What the dump of one rank says: torch's flight recorder has the last operations of each process group in it.
struct FlightRecord {
  std::string version{};              ///< of the dump's format: "2.10"
  std::vector<FlightGroup> groups{};  ///< at most kMostGroups

  /// How many entries of a dump are kept, of all groups together.
  static constexpr std::size_t kMostEntries = 64;
  static constexpr std::size_t kMostGroups = 64;
  /// Ranks of one group; a larger group has none.
  static constexpr std::size_t kMostRanks = 65'536;

  bool operator==(const FlightRecord&) const = default;
};

/// What a text for the store has at most, in bytes.
inline constexpr std::size_t kLargestFlightText = 2048;

/// For the store: JSON with a version, at most kLargestFlightText bytes. What has no room is left out: old entries
/// first, then groups in which nothing is pending.
std::string to_text(const FlightRecord& record);
/// What another node, or a stranger who reaches the store, has put there: bounded, printable, with numbers that can be;
/// nullopt when it is something else, or of a version that is not known here.
std::optional<FlightRecord> flight_record_from_text(std::string_view text);

/// Adds what another dump of the same process says, such as NCCL's beside Gloo's.
void merge(FlightRecord& record, FlightRecord other);

}  // namespace mdl::launcher::flight
