#include "launcher/gpus/gpu_watch.hpp"

#include <signal.h>

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

#include "common/join.hpp"
#include "common/str_cat.hpp"
#include "launcher/machine/gpu_count.hpp"

namespace mdl::launcher::gpus {
namespace {

using nvidia::GpuHealth;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kMostXids = 4;
constexpr std::chrono::seconds kPatience{1};
constexpr std::chrono::seconds kNoAnswer{30};

struct Watched {
  std::unique_ptr<GpuHealth> gpu{};
  std::vector<std::int64_t> xids{};  ///< the last ones
};

std::string look_at(Watched& watched, const std::string& uuid) {
  if (uuid.empty()) { return {}; }
  if (!watched.gpu) { watched.gpu = std::make_unique<GpuHealth>(uuid); }
  const auto xids = watched.gpu->xid_errors().value_or(std::vector<std::int64_t>());
  watched.xids.insert(watched.xids.end(), xids.begin(), xids.end());
  if (watched.xids.size() > kMostXids) {
    watched.xids.erase(watched.xids.begin(), watched.xids.end() - static_cast<std::ptrdiff_t>(kMostXids));
  }
  return describe_gpu(watched.gpu->condition(), watched.xids);
}

}  // namespace

std::vector<std::string> gpus_of_workers(int workers, const std::optional<std::string>& visible) {
  std::vector<std::string> found(static_cast<std::size_t>(std::max(workers, 0)));
  const machine::GpuInventory inventory = machine::find_gpus();
  const auto positions = machine::visible_positions(visible, inventory);
  if (!positions || !inventory.uuids) { return found; }
  for (std::size_t i = 0; i < std::min(found.size(), positions->size()); ++i) {
    const std::size_t position = (*positions)[i];
    if (position < inventory.uuids->size()) { found[i] = (*inventory.uuids)[position]; }
  }
  return found;
}

std::string describe_gpu(const GpuHealth::Condition& condition, const std::vector<std::int64_t>& xids) {
  std::vector<std::string> parts;
  if (condition.celsius) { parts.push_back(str_cat(*condition.celsius, " °C")); }
  if (condition.clock) {
    parts.push_back(condition.highest_clock ? str_cat(*condition.clock, " of ", *condition.highest_clock, " MHz")
                                            : str_cat(*condition.clock, " MHz"));
  }
  if (!condition.slowed_by.empty()) { parts.push_back("slowed down by " + joined(condition.slowed_by)); }
  for (const std::int64_t xid : xids) { parts.push_back(str_cat("Xid ", xid)); }
  return joined(parts);
}

/// Shared with the thread, which may outlive the watch where a driver does not answer.
struct GpuWatch::State {
  explicit State(Find how) : find(std::move(how)) {}

  const Find find;
  std::mutex mutex{};
  std::condition_variable changed{};
  bool stop = false;
  bool done = false;
  std::vector<std::string> facts{};          ///< by local rank
  std::optional<Clock::time_point> asked{};  ///< since when the driver has not answered

  /// Asks the driver meanwhile.
  template <typename Question>
  auto without(std::unique_lock<std::mutex>& lock, Question question) {
    asked = Clock::now();
    lock.unlock();
    auto answer = question();
    lock.lock();
    asked.reset();
    return answer;
  }
};

GpuWatch::GpuWatch(Find find) : state_(std::make_shared<State>(std::move(find))) {
  // Signals are for the loop's thread.
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread([state = state_] { run(state); }).detach();
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

GpuWatch::~GpuWatch() {
  std::unique_lock lock(state_->mutex);
  state_->stop = true;
  state_->changed.notify_all();
  state_->changed.wait_for(lock, kPatience, [&] { return state_->done; });
}

std::string GpuWatch::facts(int local_rank) const {
  const std::lock_guard lock(state_->mutex);
  const auto place = static_cast<std::size_t>(local_rank);
  if (place >= state_->facts.size()) { return {}; }
  const bool silent = state_->asked && Clock::now() - *state_->asked > kNoAnswer;
  return silent && !state_->facts[place].empty() ? "the driver does not answer" : state_->facts[place];
}

void GpuWatch::run(const std::shared_ptr<State>& state) {
  std::unique_lock lock(state->mutex);
  const std::vector<std::string> uuids = state->without(lock, state->find);
  std::vector<Watched> watched(uuids.size());
  const bool any = std::ranges::any_of(uuids, [](const std::string& uuid) { return !uuid.empty(); });
  while (any && !state->stop) {
    state->facts = state->without(lock, [&] {
      std::vector<std::string> facts;
      for (std::size_t i = 0; i < watched.size(); ++i) { facts.push_back(look_at(watched[i], uuids[i])); }
      return facts;
    });
    state->changed.wait_for(lock, kDistance, [&] { return state->stop; });
  }
  state->without(lock, [&] {
    watched.clear();  // which asks the driver as well
    return 0;
  });
  state->done = true;
  state->changed.notify_all();
}

}  // namespace mdl::launcher::gpus
