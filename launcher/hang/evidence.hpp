#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "launcher/flight/flight_record.hpp"

namespace mdl::launcher::hang {

/// One process as the kernel shows it.
struct ProcessEvidence {
  std::int64_t pid = 0;
  std::string name{};
  char state = '?';            ///< R, S, D, T, t, Z: of its threads the one that says most; R and D where it stays so
  double cpu = 0;              ///< seconds that it has computed during the look
  std::string kernel_place{};  ///< the function of the kernel that its first thread waits in, where that may be read
  std::int64_t threads = 1;
  double queued = 0;  ///< seconds that its threads had to wait for a CPU, during the look, where the kernel tells it

  bool operator==(const ProcessEvidence&) const = default;
};

/// One worker with all processes below it.
struct RankEvidence {
  std::string end{};  ///< "exit code 0"; empty: it runs
  /// The worker itself first, then what says most; at most kMostProcesses.
  std::vector<ProcessEvidence> processes{};
  std::int64_t process_count = 0;
  double cpu = 0;                            ///< seconds, of all of them
  double queued = 0;                         ///< the same
  std::vector<std::string> store_sockets{};  ///< "ADDRESS:PORT" of this end of its connections to the workers' store
  bool store_seen = false;                   ///< whether these are all of them
  std::optional<flight::FlightRecord> record{};  ///< of its collectives, where its server has one
  std::vector<std::string> traceback{};          ///< of its Python threads, where its server knows it

  bool operator==(const RankEvidence&) const = default;
};

/// What a node says of its workers while the job hangs.
struct NodeEvidence {
  std::int64_t request = 0;  ///< which one it answers
  std::int64_t group_rank = 0;
  std::string host{};
  std::int64_t first_rank = 0;
  double seconds = 0;  ///< how long it has looked
  std::vector<RankEvidence> ranks{};

  bool operator==(const NodeEvidence&) const = default;
};

inline constexpr std::size_t kMostProcesses = 5;
inline constexpr std::size_t kMostStoreSockets = 6;
inline constexpr std::size_t kMostTracebackLines = 16;
inline constexpr std::size_t kLongestTracebackLine = 120;

/// For the store: JSON, at most 8 KiB a rank, and mostly far less: texts and lists are cut.
std::string to_text(const NodeEvidence& evidence);
/// What another node, or a stranger who reaches the store, has written, printable and with numbers that can be; nullopt
/// when it is something else, or of a version that is not known here.
std::optional<NodeEvidence> node_evidence_from_text(std::string_view text);

/// The state of a worker: of its processes' states the one that says most.
char state_of(const RankEvidence& rank);
/// The process that has it; null where there is none.
const ProcessEvidence* telling_process(const RankEvidence& rank);
/// How much a state says: the higher, the more.
int weight_of_state(char state);

}  // namespace mdl::launcher::hang
