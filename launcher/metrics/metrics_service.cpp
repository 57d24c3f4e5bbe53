#include "launcher/metrics/metrics_service.hpp"

#include <string>
#include <utility>

#include "common/error.hpp"
#include "common/log.hpp"
#include "common/str_cat.hpp"
#include "launcher/http/http_place.hpp"

namespace mdl::launcher::metrics {
namespace {

const std::string kMetricsPath = "/metrics";

}  // namespace

void MetricsService::store_is_reached(job::StoreHost host) {
  if (!plan_.options.metrics || server_) { return; }
  if (host != job::StoreHost::another_of_ours) {
    open();
  } else if (!std::exchange(said_where_, true)) {
    const std::optional<job::StorePlace> place = rendezvous_.store_place();
    log::news("--metrics-port is not opened here: the metrics of the job are at the agent that hosts its store",
              place ? str_cat(" (", to_string(place->address), ")") : "", ", if that has the option");
  }
}

void MetricsService::open() {
  try {
    page_.emplace(io_, command_line::run_id_of(plan_.store), [this] { return rendezvous_.store_place(); });
    http::HttpServer::Routes routes;
    routes[kMetricsPath] = [this](const http::Request&) { return page_->answer(); };
    server_.emplace(io_, http::http_place(*plan_.options.metrics), std::move(routes));
  } catch (const Error& error) {
    throw Error(str_cat("--metrics-port: ", error.problem()), error.advice(), error.exit_code());
  }
  log::news("metrics for Prometheus: ", server_->url(kMetricsPath));
}

}  // namespace mdl::launcher::metrics
