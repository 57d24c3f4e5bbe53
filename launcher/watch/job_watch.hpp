#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/loop/asio.hpp"
#include "launcher/job/store_link.hpp"
#include "launcher/progress/progress_teller.hpp"
#include "launcher/watch/job_view.hpp"

namespace mdl::launcher::watch {

/// Looks at how all workers of the job get on, from one of its nodes: the first in the round whose workers say anything
/// and have not all ended (so it is none where nobody does, and costs nothing there). The others look now and then
/// whether it is still that one. Its own workers it sees directly, the others in the job's store, over a connection of
/// its own. When the store stays away (its host is done, and has gone), each node watches its own workers alone, which
/// is told, and looks for the store now and then.
class JobWatch {
 public:
  /// Is given each view, and returns how long it can do without the next one.
  using Viewer = std::function<std::chrono::milliseconds(const JobView&)>;

  static constexpr std::chrono::milliseconds kLongest{10'000};  ///< from one view to the next, with few nodes
  static constexpr std::chrono::milliseconds kShortest{100};
  /// With many nodes no view comes sooner than so much for each of them: the summaries are read anew each time.
  static constexpr std::chrono::milliseconds kForNode{16};

  /// Where the watching node says which round it watches.
  static std::string sign_key(const std::string& run_id) { return "mdl-launch/" + run_id + "/watched"; }

  /// `own` must outlive this, and `io`'s coroutines end before what `place` and the viewers refer to. The first view
  /// comes `first` after the first word of a worker.
  JobWatch(asio::io_context& io, const progress::ProgressTeller& own, const std::string& run_id,
           job::PlaceOfStore place, std::chrono::milliseconds first = kLongest);
  ~JobWatch();
  JobWatch(const JobWatch&) = delete;
  JobWatch& operator=(const JobWatch&) = delete;

  /// Before the first begin().
  void add(Viewer viewer);
  /// A new attempt: nothing is known of it.
  void begin(WatchedRound round);
  /// A worker of this node has said something for the first time in this attempt.
  void first_word();
  /// The attempt is over, or its workers are being stopped: no view comes any more.
  void end();

 private:
  struct Session;
  static asio::awaitable<void> run(std::shared_ptr<Session> session);

  std::shared_ptr<Session> session_;
};

}  // namespace mdl::launcher::watch
