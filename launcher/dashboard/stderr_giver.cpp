#include "launcher/dashboard/stderr_giver.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "common/error.hpp"
#include "common/log.hpp"
#include "launcher/dashboard/stderr_board.hpp"

namespace mdl::launcher::dashboard {

/// One attempt's; ends with the first of its steps after the attempt.
struct StderrGiver::Session {
  Session(asio::io_context& io, const std::string& run_id, const job::PlaceOfStore& place, Lines of, GiverPace times,
          Group whose)
      : board(run_id), link(place), lines(std::move(of)), pace(times), group(whose), pause(io) {}

  /// Wakes it, for its end.
  void end() {
    over = true;
    pause.cancel();
    if (link.is_open()) { link.store().abort(); }
  }

  asio::awaitable<void> rest(std::chrono::milliseconds time) {
    if (over) { co_return; }
    boost::system::error_code ignored;
    pause.expires_after(time);
    co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }

  std::vector<std::string> lines_of(std::int64_t rank) const {
    const std::int64_t local = rank - group.first_rank;
    return local >= 0 && local < group.workers ? lines(static_cast<int>(local)) : std::vector<std::string>();
  }

  /// Until the attempt ends, or there is no page. Throws Error.
  asio::awaitable<void> serve() {
    co_await link.open();
    const bool wanted = co_await board.is_open(link.store());
    while (wanted && !over) {
      const std::optional<LinesRequest> request = co_await board.next_request(link.store(), group.node, pace.wait);
      if (over) { co_return; }
      if (!request) { continue; }
      LinesAnswer answer;
      answer.number = request->number;
      answer.lines = lines_of(request->rank);
      co_await board.answer(link.store(), *request, std::move(answer));
      co_await rest(pace.apart);
    }
  }

  const StderrBoard board;
  job::StoreLink link;
  const Lines lines;
  const GiverPace pace;
  const Group group;
  asio::steady_timer pause;
  bool over = false;
};

StderrGiver::StderrGiver(asio::io_context& io, const std::string& run_id, job::PlaceOfStore place, Lines lines,
                         GiverPace pace)
    : io_(io), make_session_([&io, run_id, place = std::move(place), lines = std::move(lines), pace](Group group) {
        return std::make_shared<Session>(io, run_id, place, lines, pace, group);
      }) {}

StderrGiver::~StderrGiver() {
  if (session_) { session_->end(); }
}

void StderrGiver::begin(Group group) {
  if (session_) { session_->end(); }
  session_ = make_session_(group);
  asio::co_spawn(io_, run(session_), asio::detached);
}

asio::awaitable<void> StderrGiver::run(std::shared_ptr<Session> session) {
  std::chrono::milliseconds again = session->pace.again;
  constexpr std::int64_t kParts = 64;
  const std::chrono::milliseconds later = session->pace.first * (session->group.node % kParts) / kParts;
  co_await session->rest(session->pace.first + later);
  while (!session->over) {
    bool failed = false;
    try {
      co_await session->serve();
    } catch (const Error& error) {
      failed = true;
      if (!session->over) { log::info("waiting in the job's store for the page's questions: ", error.problem()); }
    }
    session->link.close();
    if (!failed) { co_return; }
    co_await session->rest(again);
    again = std::min(again * 2, session->pace.longest);
  }
}

}  // namespace mdl::launcher::dashboard
