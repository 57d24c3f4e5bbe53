#include "launcher/dashboard/stderr_asker.hpp"

#include <nlohmann/json.hpp>
#include <utility>

#include "common/error.hpp"
#include "common/log.hpp"
#include "launcher/dashboard/access_token.hpp"

namespace mdl::launcher::dashboard {

StderrAsker::StderrAsker(asio::io_context& io, const std::string& run_id, job::PlaceOfStore place)
    : board_(run_id), link_(std::move(place)), free_(io) {
  request_.asker = random_digits();
  request_.rank = -1;
}

asio::awaitable<void> StderrAsker::announce() {
  while (asking_) { co_await free_.wait(); }
  asking_ = true;
  try {
    co_await link_.open();
    co_await board_.say_open(link_.store());
  } catch (const Error& error) {
    link_.close();
    log::info("telling the nodes that there is a page: ", error.problem());
  }
  asking_ = false;
  free_.notify();
}

asio::awaitable<std::string> StderrAsker::lines_of(std::int64_t rank, std::int64_t node) {
  while (asking_) { co_await free_.wait(); }
  const bool fresh = answered_at_ && loop::Notifier::Clock::now() - *answered_at_ < kFresh;
  if (fresh && request_.rank == rank) { co_return answer_; }
  asking_ = true;
  const std::optional<LinesAnswer> answer = co_await ask(rank, node);
  nlohmann::json object = {{"rank", rank}};
  if (answer) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    object["time"] = std::chrono::duration<double>(now).count();
    object["lines"] = answer->lines;
  } else {
    object["error"] = "no_answer";
    object["seconds"] = std::chrono::duration<double>(kLimit).count();
  }
  answer_ = object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  answered_at_ = loop::Notifier::Clock::now();
  asking_ = false;
  free_.notify();
  co_return answer_;
}

asio::awaitable<std::optional<LinesAnswer>> StderrAsker::ask(std::int64_t rank, std::int64_t node) {
  ++request_.number;
  request_.rank = rank;
  std::optional<LinesAnswer> answer;
  try {
    co_await link_.open();
    answer = co_await board_.ask(link_.store(), node, request_, kLimit);
  } catch (const Error& error) {
    link_.close();
    log::info("asking a node for the last lines of rank ", rank, ": ", error.problem());
  }
  co_return answer;
}

}  // namespace mdl::launcher::dashboard
