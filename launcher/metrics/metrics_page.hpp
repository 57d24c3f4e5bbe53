#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "common/loop/asio.hpp"
#include "common/loop/notifier.hpp"
#include "launcher/http/http_message.hpp"
#include "launcher/job/store_link.hpp"
#include "launcher/progress/node_clocks.hpp"

namespace mdl::launcher::metrics {

/// The page /metrics: reads the job's store when somebody asks, over a connection of its own, and at most once a second
/// however many ask. Where the store does not answer, the answer is 503 with the reason.
class MetricsPage {
 public:
  static constexpr std::chrono::seconds kFresh{1};

  MetricsPage(asio::io_context& io, std::string run_id, job::PlaceOfStore place);

  /// Does not throw.
  asio::awaitable<http::Response> answer();

 private:
  asio::awaitable<void> renew();
  /// Throws Error.
  asio::awaitable<std::string> read();

  const std::string run_id_;
  job::StoreLink link_;
  progress::NodeClocks clocks_{};
  loop::Notifier renewed_;
  bool renewing_ = false;
  http::Response last_{};
  std::optional<loop::Notifier::Clock::time_point> made_at_{};
};

}  // namespace mdl::launcher::metrics
