#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/loop/asio.hpp"
#include "launcher/job/store_link.hpp"
#include "launcher/progress/job_event.hpp"
#include "launcher/progress/node_summary.hpp"
#include "launcher/progress/progress_folder.hpp"

namespace mdl::launcher::progress {

/// Who the workers of an attempt are.
struct TellingGroup {
  std::int64_t round = 0;
  std::int64_t group_rank = 0;
  std::int64_t first_rank = 0;
  int workers = 0;
};

/// Hears how this node's workers get on, and tells it in the job's store, over a connection of its own: at once when
/// something new has come and the last time was a second ago, and else each kRefresh, so that a reader can tell a
/// worker that says nothing from a node that does not. It connects when there is something to tell, not before, and not
/// in the first moment of a job. What goes wrong is logged and tried again later; the job never waits for it.
class ProgressTeller {
 public:
  static constexpr std::chrono::seconds kDistance{1};
  static constexpr std::chrono::seconds kRefresh{5};

  /// `run_folder` as for ProgressFolder. `io`'s coroutines must end before what `place` refers to.
  ProgressTeller(asio::io_context& io, const std::filesystem::path& run_folder, const std::string& run_id,
                 job::PlaceOfStore place);
  ~ProgressTeller();
  ProgressTeller(const ProgressTeller&) = delete;
  ProgressTeller& operator=(const ProgressTeller&) = delete;

  /// A new attempt: what the workers of the last one have said is forgotten. Returns the path of each one's socket by
  /// local rank, or nothing where there can be none.
  std::vector<std::filesystem::path> begin(TellingGroup group);
  /// The attempt is over: nothing more is heard, and nothing told of it.
  void end();
  /// The process of this local rank.
  void worker_runs(int local_rank, std::int64_t pid);
  /// It is no more.
  void worker_ended(int local_rank);
  /// Called whenever a worker has said something for the first time in an attempt.
  void on_first_word(std::function<void()> call);
  /// How the GPU of a local rank is, in words, from now on a part of each summary; it is called as often as there is
  /// one.
  void describe_gpus(std::function<std::string(int local_rank)> describe);
  /// Whether a worker has said anything in this attempt.
  bool heard() const;
  /// Who the workers of now are, and what has been heard of them; no ranks between two attempts.
  const TellingGroup& group() const;
  NodeSummary summary() const;
  /// Something has happened that others may want to know; of the event, `at` and `host` are not looked at. Kept until
  /// it is in the store; of many that wait the last ones, and none that a store which was reached has not taken three
  /// times.
  void happened(JobEvent event);
  void happened(const std::string& kind, const std::string& text, std::optional<HangFacts> hang = {});

 private:
  struct Session;
  static asio::awaitable<void> run(std::shared_ptr<Session> session);

  asio::io_context& io_;
  ProgressFolder folder_;
  std::shared_ptr<Session> session_;
  bool said_wrong_ = false;
};

}  // namespace mdl::launcher::progress
