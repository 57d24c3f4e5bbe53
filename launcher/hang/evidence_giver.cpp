#include "launcher/hang/evidence_giver.hpp"

#include <algorithm>
#include <utility>

#include "common/error.hpp"
#include "common/log.hpp"
#include "launcher/hang/evidence_board.hpp"

namespace mdl::launcher::hang {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kGiverRest{10};  // after the store was not reached

}  // namespace

/// Shared with the coroutine that looks, which may end a little after its owner.
struct EvidenceGiver::Session {
  Session(asio::io_context& io, const progress::ProgressTeller& teller, const EvidenceGatherer& evidence,
          const std::string& run_id, job::PlaceOfStore where, GiverTimes how_often)
      : own(teller),
        gatherer(evidence),
        board(run_id),
        link(std::move(where)),
        times(how_often),
        pause(io, Clock::time_point::max()) {}

  /// Since one of this node's workers has made a step or left a section; nullopt where none has said anything.
  std::optional<double> silence() const {
    std::optional<double> least;
    for (const progress::RankSummary& rank : own.summary().ranks) {
      if (!rank.age) { continue; }
      const double age = std::min(rank.step_age.value_or(1e9), rank.section_left_age.value_or(1e9));
      least = std::min(least.value_or(age), age);
    }
    return least;
  }

  /// Throws Error.
  asio::awaitable<void> answer_if_asked() {
    const std::optional<EvidenceRequest> request = co_await board.request(link.store());
    const bool is_new = request && request->round == round.number && request->number != answered &&
                        Clock::now() - answered_at >= times.answer_pause;
    if (!is_new) { co_return; }
    answered = request->number;
    answered_at = Clock::now();
    NodeEvidence evidence = co_await gatherer.gather(request->number);
    co_await board.answer(link.store(), std::move(evidence));
  }

  /// Looks, and returns when to look again. Throws Error.
  asio::awaitable<std::chrono::milliseconds> look() {
    const std::optional<double> quiet = silence();
    if (quiet) {
      const auto left =
          times.silent - std::chrono::ceil<std::chrono::milliseconds>(std::chrono::duration<double>(*quiet));
      if (left.count() > 0) {
        link.close();
        co_return left;
      }
    }
    co_await link.open();
    if (!quiet && !watched) {
      watched = co_await board.is_watched(link.store(), round.number);
      if (!watched) {
        link.close();
        check = std::min(check * 2, times.last_check);
        co_return heard ? times.silent : check;  // meanwhile
      }
    }
    co_await answer_if_asked();
    co_return quiet ? times.look : times.unheard;
  }

  const progress::ProgressTeller& own;
  const EvidenceGatherer& gatherer;
  const EvidenceBoard board;
  job::StoreLink link;
  const GiverTimes times;
  asio::steady_timer pause;
  watch::WatchedRound round{};
  Clock::time_point due = Clock::time_point::max();
  std::uint64_t attempt = 0;
  std::chrono::milliseconds check{};
  bool watched = false;
  bool heard = false;  ///< a word of a worker
  std::int64_t answered = 0;
  Clock::time_point answered_at{};
  bool over = false;
};

EvidenceGiver::EvidenceGiver(asio::io_context& io, const progress::ProgressTeller& own,
                             const EvidenceGatherer& gatherer, const std::string& run_id, job::PlaceOfStore place,
                             GiverTimes times)
    : session_(std::make_shared<Session>(io, own, gatherer, run_id, std::move(place), times)) {
  asio::co_spawn(io, run(session_), asio::detached);
}

EvidenceGiver::~EvidenceGiver() {
  end();
  session_->over = true;
}

void EvidenceGiver::begin(watch::WatchedRound round) {
  end();
  if (round.nodes < 2) { return; }
  session_->round = round;
  session_->watched = session_->heard = false;
  session_->check = session_->times.first_check;
  session_->due = Clock::now() + std::min(session_->times.silent, session_->times.first_check);
}

void EvidenceGiver::first_word() {
  session_->heard = true;
  if (session_->due == Clock::time_point::max()) { return; }
  session_->due = std::min(session_->due, Clock::now() + session_->times.silent);
  session_->pause.cancel();
}

void EvidenceGiver::end() {
  ++session_->attempt;
  session_->due = Clock::time_point::max();
  session_->pause.cancel();
}

asio::awaitable<void> EvidenceGiver::run(std::shared_ptr<Session> session) {
  while (!session->over) {
    if (session->due > Clock::now()) {
      boost::system::error_code ignored;
      session->pause.expires_at(session->due);
      co_await session->pause.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
      continue;
    }
    const std::uint64_t attempt = session->attempt;
    std::chrono::milliseconds next = kGiverRest;
    try {
      next = co_await session->look();
    } catch (const Error& error) {
      log::info("looking whether the job's other nodes ask for evidence: ", error.problem());
      session->link.close();
    }
    if (session->attempt == attempt) {
      session->due = Clock::now() + next;
    } else if (session->due == Clock::time_point::max()) {
      session->link.close();
    }
  }
}

}  // namespace mdl::launcher::hang
