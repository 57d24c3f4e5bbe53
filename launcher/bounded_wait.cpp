#include "launcher/bounded_wait.hpp"

namespace mdl::launcher {
namespace {

constexpr std::chrono::seconds kOutputLimit{2};  // after a signal, for a reader of our output that does not read

}  // namespace

asio::awaitable<void> BoundedWait::until_signal(const loop::BackgroundTask& task) const {
  while (!task.done() && !signals_.last()) { co_await changed_.wait(); }
}

asio::awaitable<void> BoundedWait::until_deadline(const loop::BackgroundTask& task,
                                                  std::chrono::milliseconds limit) const {
  const auto deadline = loop::Notifier::Clock::now() + limit;
  while (!task.done() && !signals_.hurry() && loop::Notifier::Clock::now() < deadline) {
    co_await changed_.wait_until(deadline);
  }
}

asio::awaitable<void> BoundedWait::until_written(const loop::BackgroundTask& task, output::OutputMux& output) const {
  co_await until_signal(task);
  co_await until_deadline(task, kOutputLimit);
  if (!task.done()) { output.give_up(); }
  while (!task.done()) { co_await changed_.wait(); }
  task.rethrow();
}

}  // namespace mdl::launcher
