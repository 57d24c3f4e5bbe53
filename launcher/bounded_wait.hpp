#pragma once

#include <chrono>

#include "common/loop/asio.hpp"
#include "common/loop/background_task.hpp"
#include "common/loop/notifier.hpp"
#include "launcher/output/output_mux.hpp"
#include "launcher/process/stop_signals.hpp"

namespace mdl::launcher {

/// How the agent waits for the end of what it has begun: for no longer than the signals that tell it to end allow. A
/// task that nobody waits for any longer goes on.
class BoundedWait {
 public:
  /// `changed` is notified at the end of each task and after each signal. Both must outlive this.
  BoundedWait(loop::Notifier& changed, const process::StopSignals& signals) : changed_(changed), signals_(signals) {}

  /// Until a signal tells the launcher to end.
  asio::awaitable<void> until_signal(const loop::BackgroundTask& task) const;
  /// For what must not keep a node for long that is about to end: until `limit`, or a second signal.
  asio::awaitable<void> until_deadline(const loop::BackgroundTask& task, std::chrono::milliseconds limit) const;
  /// For a task that passes output on: to its end, but after a signal whoever does not read is waited for no longer
  /// than 2 s; then `output` gives up. Throws what the task has thrown.
  asio::awaitable<void> until_written(const loop::BackgroundTask& task, output::OutputMux& output) const;

 private:
  loop::Notifier& changed_;
  const process::StopSignals& signals_;
};

}  // namespace mdl::launcher
