#include "launcher/metrics/metrics_page.hpp"

#include <memory>
#include <utility>

#include "common/error.hpp"
#include "common/exception_text.hpp"
#include "common/str_cat.hpp"
#include "launcher/metrics/exposition.hpp"
#include "launcher/metrics/metrics_text.hpp"
#include "launcher/output/printable.hpp"
#include "launcher/status/job_status.hpp"

namespace mdl::launcher::metrics {

MetricsPage::MetricsPage(asio::io_context& io, std::string run_id, job::PlaceOfStore place)
    : run_id_(std::move(run_id)), link_(std::move(place)), renewed_(io) {}

asio::awaitable<http::Response> MetricsPage::answer() {
  while (renewing_) { co_await renewed_.wait(); }
  if (!made_at_ || loop::Notifier::Clock::now() - *made_at_ >= kFresh) { co_await renew(); }
  co_return last_;
}

asio::awaitable<void> MetricsPage::renew() {
  renewing_ = true;
  try {
    std::string text = co_await read();
    last_ = http::Response();
    last_.type = Exposition::kType;
    last_.body = std::make_shared<const std::string>(std::move(text));
  } catch (const std::exception& error) {
    link_.close();
    const std::string why = output::printable(as_error(error).problem());
    last_ = http::plain_response(503, str_cat("The store of this job does not say how it gets on: ", why, "."));
  }
  made_at_ = loop::Notifier::Clock::now();
  renewing_ = false;
  renewed_.notify();
}

asio::awaitable<std::string> MetricsPage::read() {
  co_await link_.open();
  status::JobStatus status = co_await status::read_job_status(link_.store(), link_.address(), run_id_, &clocks_);
  const auto now = std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
  co_return metrics_text(status, now);
}

}  // namespace mdl::launcher::metrics
