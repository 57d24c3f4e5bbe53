#include "worker/distributed/peer_watch.hpp"

#include <c10/util/Exception.h>

#include <algorithm>
#include <string_view>

#include "common/log.hpp"
#include "common/str_cat.hpp"
#include "worker/process/stop_signal.hpp"

namespace mdl::worker::distributed {
namespace {

constexpr std::chrono::milliseconds kRound{50};

/// A backend ends the process, or all operations, at the timeout; our own words must come before.
constexpr std::chrono::milliseconds kLongestMargin{30'000};

constexpr const char* kAdviceOnPeers =
    "A rank that is gone or hangs says why in its own messages, or its host does. Rank 0 saves the last whole step "
    "where "
    "it still can, and says so; --resume-from-checkpoint true goes on from the newest checkpoint, if there is one. "
    "With "
    "--max-restarts a launcher goes on by itself.";

std::string in_seconds(std::chrono::milliseconds time) {
  return time.count() % 1000 == 0 ? str_cat(time.count() / 1000, " s") : str_cat(time.count(), " ms");
}

std::string text_of_error(const std::exception& error) {
  const auto* const of_torch = dynamic_cast<const c10::Error*>(&error);
  const std::string text = of_torch ? of_torch->what_without_backtrace() : error.what();
  // Gloo's place in its source, guesses and wishes.
  const std::size_t begin = text.starts_with('[') && text.find("] ") != std::string::npos ? text.find("] ") + 2 : 0;
  const std::size_t end = std::min({text.find(". This "), text.find(". Check the logs"), text.find('\n'), text.size()});
  return text.substr(begin, std::max(begin, end) - begin);
}

bool is_of_store(const std::exception& error) {
  return dynamic_cast<const c10::DistStoreError*>(&error) || dynamic_cast<const c10::DistNetworkError*>(&error);
}

}  // namespace

PeerWatch::PeerWatch(WaitLimits limits, c10::intrusive_ptr<c10d::Backend> backend,
                     std::function<void()> close_connections)
    : limits_(limits),
      backend_(std::move(backend)),
      close_connections_(std::move(close_connections)),
      closing_(std::make_shared<Closing>()),
      thread_([this] { run(); }) {}

PeerWatch::~PeerWatch() {
  {
    const std::lock_guard lock(mutex_);
    leaving_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

PeerWatch::Expectation::~Expectation() {
  if (!watch_) { return; }
  const std::lock_guard lock(watch_->mutex_);
  watch_->longest_ = std::max(watch_->longest_, Clock::now() - *watch_->expected_since_);
  watch_->expected_since_.reset();
}

PeerWatch::Expectation PeerWatch::expect(const std::string& what) {
  const std::lock_guard lock(mutex_);
  if (expected_since_) { return Expectation(nullptr); }
  what_ = what;
  expected_since_ = Clock::now();
  return Expectation(this);
}

PeerWatch::Clock::duration PeerWatch::patience_after_stop() const {
  return longest_ > limits_.after_stop ? 2 * limits_.after_stop : limits_.after_stop;
}

void PeerWatch::run() {
  std::unique_lock lock(mutex_);
  while (!leaving_) {
    changed_.wait_for(lock, kRound);
    if (!stop_seen_ && process::StopSignal::requested() != 0) { stop_seen_ = Clock::now(); }
    if (leaving_ || !expected_since_) { continue; }
    if (!why_.empty()) {
      help_the_stuck(lock);
      continue;
    }
    const Clock::duration patience = patience_after_stop();
    if (stop_seen_ && Clock::now() - std::max(*stop_seen_, *expected_since_) >= patience) {
      const std::string why =
          str_cat(what_, " has not come to its end within ",
                  in_seconds(std::chrono::duration_cast<std::chrono::milliseconds>(patience)), " of the stop signal");
      lock.unlock();
      end_waits(why);
      lock.lock();
    }
  }
}

void PeerWatch::when_stuck(std::function<void(const PeersLost&)> last_resort) {
  const std::lock_guard lock(mutex_);
  last_resort_ = std::move(last_resort);
}

void PeerWatch::help_the_stuck(std::unique_lock<std::mutex>& lock) {
  const auto now = Clock::now();
  bool closed = false;
  {
    const std::lock_guard closing(closing_->mutex);
    closed = closing_->done_at && now - *closing_->done_at >= limits_.for_waking;
  }
  if (!last_resort_ || (!closed && now - ended_at_ < limits_.for_abort + limits_.for_waking)) { return; }
  const auto last_resort = std::exchange(last_resort_, nullptr);
  const PeersLost error = lost(why_);
  lock.unlock();
  last_resort(error);
  lock.lock();
}

std::optional<std::string> PeerWatch::fault_of_backend() {
  if (!tells_errors_) { return std::nullopt; }
  try {
    switch (backend_->getError()) {
      case c10d::ErrorType::SUCCESS:
        return std::nullopt;
      case c10d::ErrorType::TIMEOUT:
        return "an operation has timed out";
      case c10d::ErrorType::COMM_ERROR:
        return "the connection with another rank has broken";
      case c10d::ErrorType::REMOTE_ERROR:
        return "another rank has told of an error";
    }
  } catch (const c10::Error&) { tells_errors_ = false; }  // Gloo's, before LibTorch 2.12; its operations throw
  return std::nullopt;
}

void PeerWatch::end_waits(const std::string& why) {
  {
    const std::lock_guard lock(mutex_);
    if (!why_.empty()) { return; }
    why_ = why;
    ended_at_ = Clock::now();
  }
  // In a thread of its own, which is left behind where the backend itself hangs.
  std::thread([close = close_connections_, closing = closing_] {
    try {
      close();
    } catch (const std::exception& error) {
      log::warning("the connections with the other ranks could not be closed: ", text_of_error(error));
    }
    const std::lock_guard lock(closing->mutex);
    closing->done_at = Clock::now();
    closing->changed.notify_all();
  }).detach();
}

PeersLost PeerWatch::after_closing(const std::string& why) const {
  std::unique_lock lock(closing_->mutex);
  closing_->changed.wait_for(lock, limits_.for_abort, [&] { return closing_->done_at.has_value(); });
  return lost(why);
}

PeersLost PeerWatch::lost(const std::string& why) const {
  return PeersLost(why, kAdviceOnPeers);
}

void PeerWatch::check(std::optional<Clock::time_point> waiting_since) {
  std::string what, why;
  {
    const std::lock_guard lock(mutex_);
    what = what_;
    why = why_;
  }
  if (!why.empty()) { throw after_closing(why); }
  if (const auto fault = fault_of_backend()) { end_waits(str_cat(what, ": ", *fault)); }
  const auto patience = limits_.timeout - std::min(limits_.timeout / 10, kLongestMargin);
  if (waiting_since && Clock::now() - *waiting_since >= patience) {
    end_waits(str_cat(what, ": nothing has come from the other ranks for ", in_seconds(patience)));
  }
  {
    const std::lock_guard lock(mutex_);
    why = why_;
  }
  if (!why.empty()) { throw after_closing(why); }
}

std::optional<PeersLost> PeerWatch::explain(const std::exception& error) {
  std::string what, why;
  {
    const std::lock_guard lock(mutex_);
    what = what_;
    why = why_;
  }
  if (!why.empty()) { return after_closing(why); }
  const std::string text = text_of_error(error);
  if (is_of_store(error)) {
    return lost(str_cat(what, ": the store does not answer, which the launcher or rank 0 serves: ", text));
  }
  const bool of_gloo = std::string_view(error.what()).find("gloo/") != std::string_view::npos;  // runtime_errors
  if (!of_gloo && !dynamic_cast<const c10::DistError*>(&error)) { return std::nullopt; }
  return lost(str_cat(what, ": another rank is gone or does not answer: ", text));
}

bool PeerWatch::ended() const {
  const std::lock_guard lock(mutex_);
  return !why_.empty();
}

}  // namespace mdl::worker::distributed
