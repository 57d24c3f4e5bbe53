#include "worker/process/stop_signal.hpp"

namespace mdl::worker::process {
namespace {

constexpr std::array<int, 3> kSignals = {SIGTERM, SIGINT, SIGHUP};

volatile std::sig_atomic_t received = 0;

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
