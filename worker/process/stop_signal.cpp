#include "worker/process/stop_signal.hpp"

#include <atomic>

namespace mdl::worker::process {
namespace {

constexpr std::array<int, 3> kSignals = {SIGTERM, SIGINT, SIGHUP};

std::atomic<int> received = 0;  // a signal may come to one thread while another asks
static_assert(std::atomic<int>::is_always_lock_free, "or a signal handler must not touch it");

void remember(int signal) {
  received = signal;
}

}  // namespace

StopSignal::StopSignal() {
  received = 0;
  for (size_t i = 0; i < kSignals.size(); ++i) {
    ::sigaction(kSignals[i], nullptr, &previous_[i]);
    const bool hangup = kSignals[i] == SIGHUP;
    if (hangup && previous_[i].sa_handler == SIG_IGN) { continue; }
    struct sigaction action{};
    action.sa_handler = remember;
    action.sa_flags = static_cast<int>(hangup ? SA_RESTART : SA_RESTART | SA_RESETHAND);
    ::sigaction(kSignals[i], &action, nullptr);
  }
}

StopSignal::~StopSignal() {
  for (size_t i = 0; i < kSignals.size(); ++i) { ::sigaction(kSignals[i], &previous_[i], nullptr); }
  received = 0;
}

int StopSignal::requested() {
  return received;
}

}  // namespace mdl::worker::process
