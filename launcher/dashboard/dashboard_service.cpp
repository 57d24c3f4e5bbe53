#include "launcher/dashboard/dashboard_service.hpp"

#include <utility>
#include <variant>

#include "common/error.hpp"
#include "common/host.hpp"
#include "common/log.hpp"
#include "common/parse_number.hpp"
#include "common/str_cat.hpp"
#include "launcher/dashboard/event_stream.hpp"
#include "launcher/http/http_place.hpp"

namespace mdl::launcher::dashboard {
namespace {

using rendezvous::server::ListenAddress;

http::Response json_response(std::string text, unsigned status = 200) {
  http::Response response;
  response.status = status;
  response.type = "application/json";
  response.body = std::make_shared<const std::string>(std::move(text));
  return response;
}

/// Why there are no lines of a rank, for the page and for people.
http::Response no_lines(unsigned status, std::int64_t rank, const char* error, const char* message) {
  return json_response(str_cat(R"({"rank":)", rank, R"(,"error":")", error, R"(","message":")", message, R"("})"),
                       status);
}

/// Where the nodes of the job meet; of a job of one node, this one.
std::string shown_place(const command_line::StorePlan& plan) {
  if (const auto* c10d = std::get_if<command_line::C10dJob>(&plan)) { return to_string(c10d->endpoint); }
  if (const auto* fixed = std::get_if<command_line::StaticJob>(&plan)) { return to_string(fixed->master); }
  return host_name();
}

}  // namespace

void DashboardService::store_is_reached(job::StoreHost host) {
  if (!plan_.options.dashboard) { return; }
  if (host != job::StoreHost::another_of_ours) {
    if (!server_) { open(); }
    asio::co_spawn(io_, [this] { return asker_->announce(); }, asio::detached);
  } else if (!server_) {
    const std::optional<job::StorePlace> place = rendezvous_.store_place();
    log::news("--dashboard is not opened here: the page of the job is at the agent that hosts its store",
              place ? str_cat(" (", to_string(place->address), ")") : "", ", if that has the option");
  }
}

asio::awaitable<void> DashboardService::launcher_ends(std::string signal) {
  if (feed_) { co_await feed_->launcher_ends(std::move(signal)); }
}

void DashboardService::open() {
  const auto place = [this] { return rendezvous_.store_place(); };
  const std::string run_id = command_line::run_id_of(plan_.store);
  page_ = make_page();
  try {
    http::HttpPlace where = http::http_place(*plan_.options.dashboard);
    if (where.address.kind() != ListenAddress::Kind::loopback) { token_ = AccessToken::make(); }
    http::HttpServer::Routes routes;
    routes["/"] = guarded(&DashboardService::answer_page);
    routes["/events"] = guarded(&DashboardService::answer_events);
    routes["/stderr"] = guarded(&DashboardService::answer_stderr);
    server_.emplace(io_, std::move(where), std::move(routes));
  } catch (const Error& error) {
    throw Error(str_cat("--dashboard: ", error.problem()), error.advice(), error.exit_code());
  }
  feed_.emplace(io_, run_id, shown_place(plan_.store), command_line::short_name(plan_.command), place);
  asker_.emplace(io_, run_id, place);
  log::news("dashboard: ", server_->url("/" + (token_ ? token_->query() : "")));
}

http::HttpServer::Handler DashboardService::guarded(Answer (DashboardService::*handler)(http::Request)) {
  return [this, handler](http::Request request) -> Answer {
    if (token_ && !token_->is_in(request.query)) {
      co_return http::plain_response(
          403,
          "The address of this page ends in ?token=...; mdl-launch has written it to its stderr, in the line "
          "\"dashboard: ...\".");
    }
    Answer making = (this->*handler)(std::move(request));
    http::Response response = co_await std::move(making);
    co_return response;
  };
}

asio::awaitable<http::Response> DashboardService::answer_page(http::Request) {
  http::Response response;
  response.type = "text/html; charset=utf-8";
  response.body = page_.html;
  response.headers.emplace_back("Content-Security-Policy", page_.policy);
  co_return response;
}

asio::awaitable<http::Response> DashboardService::answer_events(http::Request request) {
  http::Response response;
  response.type = "text/event-stream";
  if (request.method == "GET") { response.stream = std::make_shared<EventStream>(*feed_); }
  co_return response;
}

asio::awaitable<http::Response> DashboardService::answer_stderr(http::Request request) {
  const auto rank = parse_digits<std::int64_t>(query_field(request.query, "rank"));
  if (!rank) { co_return http::plain_response(400, "Which rank? It is a whole number, as in /stderr?rank=0"); }
  const JobFeed::RankSought sought = co_await feed_->find_rank(*rank);
  if (!sought.known) {
    co_return no_lines(503, *rank, "not_known",
                       "It is not known now which ranks there are: no round goes on, or the job's store does not "
                       "answer. Try again.");
  }
  if (!sought.node) { co_return no_lines(404, *rank, "no_such_rank", "No node of the job's round has this rank."); }
  std::string text = co_await asker_->lines_of(*rank, *sought.node);
  co_return json_response(std::move(text));
}

}  // namespace mdl::launcher::dashboard
