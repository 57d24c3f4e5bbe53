#pragma once

#include <torch/csrc/distributed/c10d/Backend.hpp>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "common/error.hpp"

namespace mdl::worker::distributed {

/// Another rank is gone, or does not do its part. The connections are closed; what this rank has computed with the
/// others since the last step is not to be believed.
class PeersLost : public Error {
 public:
  using Error::Error;
};

/// How long a rank waits for others.
struct WaitLimits {
  std::chrono::milliseconds timeout;  ///< without a result, see --ddp-timeout
  /// For the end of what is under way, after a stop signal; twice as long where such a thing has taken longer before.
  std::chrono::milliseconds after_stop{8'000};
  std::chrono::milliseconds for_abort{10'000};  ///< for the connections to close
  std::chrono::milliseconds for_waking{2'000};  ///< for what waits to fail, once they are closed
};

/// Ends the waits of this rank for others that do not come. What all ranks do together is announced by expect(). Where
/// a stop signal has come and it has not ended some seconds later, or the backend has an error, a thread closes the
/// connections, so that whatever waits for them fails: also LibTorch's own code, which cannot be asked to look. All
/// ranks get a launcher's stop signal, so where none hangs the step ends as usual, and they agree on the end.
class PeerWatch {
 public:
  /// `close_connections` may be called from another thread, once, and may block.
  PeerWatch(WaitLimits limits, c10::intrusive_ptr<c10d::Backend> backend, std::function<void()> close_connections);
  ~PeerWatch();
  PeerWatch(const PeerWatch&) = delete;
  PeerWatch& operator=(const PeerWatch&) = delete;

  /// Something that all ranks do together, for as long as the object lives.
  class Expectation {
   public:
    explicit Expectation(PeerWatch* watch) : watch_(watch) {}
    Expectation(Expectation&& other) noexcept : watch_(std::exchange(other.watch_, nullptr)) {}
    Expectation& operator=(Expectation&&) = delete;
    ~Expectation();

   private:
    PeerWatch* watch_;
  };
  /// `what`: "step 12". One at a time; within another one it changes nothing.
  Expectation expect(const std::string& what);

  /// Where what was expected is still not over when its connections have long been closed (Gloo never wakes some of its
  /// waits), the watch's own thread calls `last_resort`, while the one that waits stays where it is. Empty: nobody.
  void when_stuck(std::function<void(const PeersLost&)> last_resort);

  /// Throws PeersLost when the waits were ended, or the backend has an error, once the connections are closed. With
  /// `waiting_since` also when that is longer ago than the timeout allows.
  void check(std::optional<std::chrono::steady_clock::time_point> waiting_since = std::nullopt);

  /// What to say of `error`, which was thrown by something that all ranks do together: PeersLost where the waits were
  /// ended or a connection has broken; nothing where it is of another kind.
  std::optional<PeersLost> explain(const std::exception& error);

  /// Whether the waits were ended: then nothing of the backend may be waited for, its destruction included.
  bool ended() const;

 private:
  using Clock = std::chrono::steady_clock;

  /// How far the thread is that closes the connections, and may outlive all this.
  struct Closing {
    std::mutex mutex;
    std::condition_variable changed;
    std::optional<Clock::time_point> done_at;
  };

  void run();
  /// With mutex_ held by `lock`: calls the last resort when its time has come.
  void help_the_stuck(std::unique_lock<std::mutex>& lock);
  Clock::duration patience_after_stop() const;
  std::optional<std::string> fault_of_backend();
  void end_waits(const std::string& why);
  /// After the connections are closed, or not in time.
  PeersLost after_closing(const std::string& why) const;
  PeersLost lost(const std::string& why) const;

  const WaitLimits limits_;
  const c10::intrusive_ptr<c10d::Backend> backend_;
  const std::function<void()> close_connections_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::string what_ = "the start";
  std::optional<Clock::time_point> expected_since_, stop_seen_;
  Clock::duration longest_{};  ///< that was expected and came
  std::string why_;            ///< the waits were ended; empty: they were not
  Clock::time_point ended_at_;
  std::function<void(const PeersLost&)> last_resort_;
  bool leaving_ = false, tells_errors_ = true;
  const std::shared_ptr<Closing> closing_;
  std::thread thread_;
};

}  // namespace mdl::worker::distributed
