#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/loop/asio.hpp"
#include "launcher/hang/evidence_gatherer.hpp"
#include "launcher/job/store_link.hpp"
#include "launcher/progress/progress_teller.hpp"
#include "launcher/watch/job_view.hpp"

namespace mdl::launcher::hang {

/// How often a node looks whether it has been asked what its workers do.
struct GiverTimes {
  std::chrono::milliseconds silent{5'000};   ///< none of its workers has made a step for so long: from then on it looks
  std::chrono::milliseconds look{1'000};     ///< and then so often
  std::chrono::milliseconds unheard{4'000};  ///< so often where its workers say nothing, and the job is watched
  /// So often it looks whether the job is watched where its workers say nothing; at first, and then less and less
  /// often.
  std::chrono::milliseconds first_check{10'000};
  std::chrono::milliseconds last_check{60'000};
  std::chrono::milliseconds answer_pause{5'000};  ///< from one answer to the next, whoever asks
};

/// Answers the node that watches the job when it asks what this node's workers do. While they make steps it does
/// nothing at all; else it has a connection of its own and reads one small key now and then. What goes wrong is logged
/// and tried again later.
class EvidenceGiver {
 public:
  /// All must outlive `io`'s coroutines.
  EvidenceGiver(asio::io_context& io, const progress::ProgressTeller& own, const EvidenceGatherer& gatherer,
                const std::string& run_id, job::PlaceOfStore place, GiverTimes times = {});
  ~EvidenceGiver();
  EvidenceGiver(const EvidenceGiver&) = delete;
  EvidenceGiver& operator=(const EvidenceGiver&) = delete;

  /// A new attempt, of a job of several nodes.
  void begin(watch::WatchedRound round);
  /// A worker of this node has said something for the first time in this attempt: from now on its silence counts.
  void first_word();
  void end();

 private:
  struct Session;
  static asio::awaitable<void> run(std::shared_ptr<Session> session);

  std::shared_ptr<Session> session_;
};

}  // namespace mdl::launcher::hang
