#include "launcher/dashboard/event_stream.hpp"

#include <optional>
#include <utility>

#include "common/str_cat.hpp"

namespace mdl::launcher::dashboard {

asio::awaitable<std::shared_ptr<const std::string>> EventStream::next() {
  if (!std::exchange(begun_, true)) {
    // After which time a browser that has lost its connection makes another one.
    co_return std::make_shared<const std::string>("retry: 2000\n\n");
  }
  if (after_points_) { co_return std::exchange(after_points_, nullptr); }
  feed_.has_got(*reader_, given_);
  const auto deadline = loop::Notifier::Clock::now() + kSilence;
  while (!feed_.frame().events || feed_.frame().number == given_) {
    if (loop::Notifier::Clock::now() >= deadline) { co_return std::make_shared<const std::string>(":\n\n"); }
    co_await feed_.changed().wait_until(deadline);
  }
  given_ = feed_.frame().number;
  std::shared_ptr<const std::string> events = feed_.frame().events;
  const std::optional<std::string> points = feed_.history().next(cursor_);
  if (!points) { co_return events; }
  after_points_ = std::move(events);
  co_return std::make_shared<const std::string>(str_cat("event: points\ndata: ", *points, "\n\n"));
}

}  // namespace mdl::launcher::dashboard
