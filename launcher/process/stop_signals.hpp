#pragma once

#include <boost/asio/signal_set.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/loop/asio.hpp"

namespace mdl::launcher::process {

/// The signals that ask the launcher to end, as far as they have come. The first one ends the job in peace; one that
/// comes while the launcher is already about it wants it done at once. SIGHUP never does: a terminal that closes sends
/// it twice (the kernel and the shell), and systemd sends it right behind SIGTERM (SendSIGHUP=).
class StopSignals {
 public:
  /// Listens for the signals of `names` ("SIGTERM,SIGINT,…", see parse_signals), from the construction to the end.
  /// SIGHUP is left alone where this process ignores it: that is nohup's wish. `on_signal` is called from the loop of
  /// `io` after each signal. Throws UsageError for a wrong name.
  StopSignals(asio::io_context& io, const std::string& names, std::function<void()> on_signal);

  /// The number of the last one that came.
  const std::optional<int>& last() const { return last_; }
  /// Whether one came after another, or while workers were being stopped. The reference lives as long as this object.
  const bool& hurry() const { return hurry_; }

  /// Says that workers are being stopped, for whatever reason: from now on one signal is enough to be in a hurry.
  void begin_stopping() { stopping_ = true; }
  void end_stopping() { stopping_ = false; }

  /// This process is about to end, with the exit code that it has: from now on, and when this object is gone, the
  /// signals do nothing any more. (A terminal that closes sends SIGHUP twice, which would kill it in the midst.) So
  /// what hangs then, as on a file system that is gone, only SIGKILL ends.
  void ignore();

 private:
  void follow();

  asio::signal_set signals_;
  std::vector<int> numbers_{};
  std::function<void()> on_signal_;
  std::optional<int> last_;
  bool stopping_ = false;
  bool hurry_ = false;
};

}  // namespace mdl::launcher::process
