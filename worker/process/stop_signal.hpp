#pragma once

#include <array>
#include <csignal>

namespace mdl::worker::process {

/// While it lives, the first SIGTERM, SIGINT or SIGHUP asks the training loop to stop at the end of a step; a second
/// one ends the process at once, but for SIGHUP: a terminal that closes sends it twice (the kernel and the shell).
/// SIGHUP is left alone where this process ignores it: that is nohup's wish. One object a process.
class StopSignal {
 public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  /// The signal that came, or 0. Of the process: any thread may ask.
  static int requested();

 private:
  std::array<struct sigaction, 3> previous_{};
};

/// Thrown by the training loop when it stops for a signal. main() ends the process by that signal, so that whoever
/// started it sees why.
struct StoppedBySignal {
  int signal;
};

}  // namespace mdl::worker::process
