#include "launcher/watch/job_watch.hpp"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "common/error.hpp"
#include "common/log.hpp"
#include "launcher/progress/progress_board.hpp"
#include "launcher/watch/node_views.hpp"
#include "rendezvous/client/tcp_store_client.hpp"

namespace mdl::launcher::watch {
namespace {

using Clock = JobView::Clock;

constexpr std::chrono::milliseconds kViewTimeout{5000};  // of what the store is asked
// Until it is looked whether another node still watches: so many times the wait before the first view, and so much for
// each node, so that a large job asks its store for it a few times a second in all.
constexpr int kTimesFirst = 3;
constexpr std::chrono::milliseconds kCheckForNode{250};

/// Whether a worker of a node runs, as far as is known.
bool lives(const std::vector<progress::RankSummary>& ranks) {
  return std::any_of(ranks.begin(), ranks.end(), [](const progress::RankSummary& rank) { return !rank.ended; });
}

}  // namespace

/// Shared with the coroutine that looks, which may end a little after its owner.
struct JobWatch::Session {
  Session(asio::io_context& io, const progress::ProgressTeller& teller, const std::string& run_id,
          job::PlaceOfStore where, std::chrono::milliseconds wait)
      : own(teller),
        board(run_id),
        sign_key(JobWatch::sign_key(run_id)),
        link(std::move(where), kViewTimeout),
        first(wait),
        pause(io, Clock::time_point::max()) {}

  void look_at(Clock::time_point when) {
    due = when;
    pause.cancel();
  }

  /// Another node watches: as long as its own workers run.
  void leave_it() {
    watches = false;
    due = Clock::now() + kTimesFirst * first + kCheckForNode * round.nodes;
    link.close();
  }

  /// Whether a node before this one has told anything of this round: then that one watches. Throws Error.
  asio::awaitable<bool> another_watches() {
    for (std::int64_t node = 0; node < round.group_rank; ++node) {
      const auto summary = co_await board.read_node(link.store(), node);
      if (summary && summary->round == round.number && lives(summary->ranks)) { co_return true; }
    }
    co_return false;
  }

  /// The store could not be asked, now and, if this goes on, the last time as well: this node's workers are all that
  /// can be seen. The agent itself notices a store that is lost, but none whose host has left in peace.
  void go_without_store(const Error& error) {
    watches = false;
    ask_store_at = Clock::now() + first;
    due = ask_store_at;
    if (!std::exchange(failed, true)) {
      log::info("looking at how the other nodes get on: ", error.problem());
      return;
    }
    if (!std::exchange(alone, true)) {
      log::news("the store of the job is not reached (", error.problem(),
                "): this node looks for hangs and slow ranks among its own workers alone");
    }
    others.begin(round.number);
    if (own.heard()) { show(); }
  }

  /// False when another node turns out to watch. Throws Error.
  asio::awaitable<bool> read_others() {
    const bool takes_over = !watches;
    if (takes_over) {
      const bool another = co_await another_watches();
      if (another) { co_return false; }
      co_await link.store().set(sign_key, std::to_string(round.number));
      watches = true;
    }
    const std::vector<std::string> keys = co_await link.store().list_keys();
    auto view = co_await board.read(link.store(), keys, round.nodes, /*wants_events=*/takes_over);
    if (takes_over) { told_slow = progress::told_slow(view.events, round.number); }
    const auto now = Clock::now();
    for (auto& [node, summary] : view.nodes) {
      if (node != round.group_rank) { others.take(std::move(summary), now); }
    }
    // A node whose workers have all ended could not end the others'.
    const std::vector<NodeView> told = others.at(now);
    const auto first_alive =
        std::find_if(told.begin(), told.end(), [](const NodeView& node) { return lives(node.ranks); });
    const bool own_lives = lives(own.summary().ranks);
    co_return first_alive == told.end() || (own_lives && first_alive->group_rank > round.group_rank);
  }

  JobView view() const {
    JobView view;
    view.at = Clock::now();
    view.since_start = view.at - began;
    view.round = round.number;
    view.watcher = round.group_rank;
    view.nodes = round.nodes;
    view.world_size = round.world_size;
    view.told = others.at(view.at);
    view.told.push_back(view_of(own.summary(), 0));
    std::sort(view.told.begin(), view.told.end(),
              [](const NodeView& a, const NodeView& b) { return a.group_rank < b.group_rank; });
    return view;
  }

  void show() {
    JobView now = view();
    now.told_slow = std::exchange(told_slow, {});
    std::chrono::milliseconds wish = kLongest;
    for (const Viewer& viewer : viewers) { wish = std::min(wish, viewer(now)); }
    due = now.at + std::max({wish, kShortest, kForNode * (round.nodes - 1)});
  }

  /// Throws Error.
  asio::awaitable<void> look() {
    const std::uint64_t attempt_of_now = attempt;
    if (round.nodes > 1 && !(alone && Clock::now() < ask_store_at)) {
      co_await link.open();
      const bool is_mine = co_await read_others();
      if (attempt != attempt_of_now) { co_return; }
      failed = alone = false;
      if (!is_mine) {
        leave_it();
        co_return;
      }
    }
    if (own.heard()) { show(); }
  }

  const progress::ProgressTeller& own;
  const progress::ProgressBoard board;
  const std::string sign_key;
  job::StoreLink link;
  const std::chrono::milliseconds first;
  asio::steady_timer pause;
  std::vector<Viewer> viewers{};
  WatchedRound round{};
  std::uint64_t attempt = 0;  ///< counted, so that what began in another one is known
  Clock::time_point began{};
  Clock::time_point due = Clock::time_point::max();
  NodeViews others{};
  std::map<std::int64_t, bool> told_slow{};  ///< for the next view
  bool watches = false;                      ///< this node, and no other
  bool failed = false;                       ///< the store could not be asked the last time
  bool alone = false;                        ///< nor the time before, so that this node sees its own workers only
  Clock::time_point ask_store_at{};
  bool over = false;
};

JobWatch::JobWatch(asio::io_context& io, const progress::ProgressTeller& own, const std::string& run_id,
                   job::PlaceOfStore place, std::chrono::milliseconds first)
    : session_(std::make_shared<Session>(io, own, run_id, std::move(place), first)) {
  asio::co_spawn(io, run(session_), asio::detached);
}

JobWatch::~JobWatch() {
  end();
  session_->over = true;
}

void JobWatch::add(Viewer viewer) {
  session_->viewers.push_back(std::move(viewer));
}

void JobWatch::begin(WatchedRound round) {
  end();
  session_->round = round;
  session_->began = Clock::now();
  session_->watches = session_->failed = session_->alone = false;
  session_->others.begin(round.number);
  session_->told_slow.clear();
}

void JobWatch::first_word() {
  session_->look_at(Clock::now() + session_->first);
}

void JobWatch::end() {
  ++session_->attempt;
  session_->look_at(Clock::time_point::max());
}

asio::awaitable<void> JobWatch::run(std::shared_ptr<Session> session) {
  while (!session->over) {
    if (session->due > Clock::now()) {
      boost::system::error_code ignored;
      session->pause.expires_at(session->due);
      co_await session->pause.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
      continue;
    }
    const std::uint64_t attempt = session->attempt;
    session->due = Clock::now() + kLongest;
    try {
      co_await session->look();
    } catch (const Error& error) {
      session->link.close();
      if (session->attempt == attempt) { session->go_without_store(error); }
    }
    if (session->attempt != attempt && session->due == Clock::time_point::max()) { session->link.close(); }
  }
}

}  // namespace mdl::launcher::watch
