#include "launcher/dashboard/job_feed.hpp"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "common/error.hpp"
#include "common/log.hpp"
#include "common/str_cat.hpp"
#include "launcher/dashboard/rank_places.hpp"
#include "launcher/dashboard/state_json.hpp"
#include "launcher/job/failure_board.hpp"
#include "launcher/job/spare_nodes.hpp"
#include "launcher/output/printable.hpp"
#include "launcher/progress/progress_board.hpp"

namespace mdl::launcher::dashboard {
namespace {

using rendezvous::client::TcpStoreClient;
using std::chrono::milliseconds;
using WatchClock = loop::Notifier::Clock;

constexpr milliseconds kLookEach{1000};
constexpr milliseconds kFirstWatchRest{1000};  // after the store was not reached, then twice as long, and so on
constexpr milliseconds kLongestWatchRest{16'000};
constexpr milliseconds kReadersTimeout{700};  // for the end of the job; its host waits a second
constexpr std::size_t kLongestReason = 200;

std::string trouble_event(const std::string& reason) {
  const nlohmann::json object = {{"store_error", output::printable(reason, kLongestReason)}};
  const std::string text = object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return str_cat("event: trouble\ndata: ", text, "\n\n");
}

}  // namespace

/// Shared with the coroutine that watches, which may end a little after its owner.
struct JobFeed::Session {
  Session(asio::io_context& io, std::string id, std::string shown, std::string what, job::PlaceOfStore place)
      : run_id(std::move(id)),
        where(std::move(shown)),
        script(std::move(what)),
        link(std::move(place)),
        progress(run_id),
        failures(run_id),
        changed(io),
        taken(io),
        pause(io) {}

  bool anybody_looks() {
    std::erase_if(readers, [](const std::weak_ptr<Reader>& reader) { return reader.expired(); });
    return !readers.empty();
  }

  bool all_have_the_frame() {
    return std::all_of(readers.begin(), readers.end(), [&](const std::weak_ptr<Reader>& weak) {
      const std::shared_ptr<Reader> reader = weak.lock();
      return !reader || reader->frame >= frame.number;
    });
  }

  void show(const status::JobStatus& status) {
    const auto now = std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
    const auto job = status::job_progress(status.progress, std::chrono::floor<milliseconds>(now));
    places = rank_places(status, job);
    for (RankPlace& place : places) { place.told = nullptr; }  // which goes with `job`
    state_event = str_cat("event: state\ndata: ", state_json(status, where, now), "\n\n");
    publish(state_event);
  }

  void publish(std::string events) {
    ++frame.number;
    frame.events = std::make_shared<const std::string>(std::move(events));
    changed.notify();
  }

  /// What nobody has looked at for a while is not what is.
  void forget_frame() {
    frame.events.reset();
    state_event.clear();
    last.reset();
  }

  milliseconds look_distance() const {
    const std::int64_t ranks = places.empty() ? 0 : places.back().first_rank + places.back().count;
    return std::max(kLookEach, milliseconds(std::min<std::int64_t>(ranks, kMostShownRanks) * 1000 / kRanksASecond));
  }

  void take_points(const progress::NodeSummary& first) {
    if (first.first_rank == 0 && !first.ranks.empty()) { history.take(first.ranks.front()); }
  }

  /// Throws Error, as the others do.
  asio::awaitable<void> look() {
    co_await link.open();
    const bool looked_at = anybody_looks();
    co_await count_self(looked_at);
    if (looked_at) {
      co_await look_at_all();
    } else {
      forget_frame();
      const std::optional<progress::NodeSummary> first = co_await progress.read_node(link.store(), 0);
      if (first) { take_points(*first); }
    }
  }

  asio::awaitable<void> look_at_all() {
    status::JobStatus status = co_await status::read_job_status(link.store(), link.address(), run_id, &clocks);
    if (!status.rendezvous.state) { co_return; }  // no node has come yet
    const auto first = status.progress.find(0);
    if (first != status.progress.end()) { take_points(first->second); }
    last = std::move(status);
    last->launcher_end = launcher_end;
    last->script = script;
    show(*last);
  }

  /// Who looks gets the frame of now, or is too slow.
  asio::awaitable<void> wait_for_readers() {
    const auto deadline = WatchClock::now() + kReadersTimeout;
    while (!all_have_the_frame() && WatchClock::now() < deadline) { co_await taken.wait_until(deadline); }
  }

  /// The agent that hosts the store waits a moment at the job's end for those who watch it.
  asio::awaitable<void> count_self(bool looked_at) {
    if (looked_at == counted) { co_return; }
    counted = looked_at;
    const std::int64_t change = looked_at ? 1 : -1;
    const bool has_number = co_await job::count_watcher(link.store(), run_id, change);
    if (!has_number && !std::exchange(said_uncounted, true)) { job::warn_of_uncounted(run_id); }
  }

  /// Whether the job ends within this time.
  asio::awaitable<bool> wait_for_end() {
    std::vector<std::string> keys;
    keys.push_back(failures.end_key());
    co_return co_await link.store().wait(std::move(keys), look_distance());
  }

  /// The host of the store may end right now: so what matters is read first.
  asio::awaitable<void> show_end() {
    if (!anybody_looks()) { co_return; }
    const std::optional<std::string> how = co_await link.store().get_now(failures.end_key());
    std::optional<report::RootCause> cause = co_await failures.read(link.store());
    if (last) {
      last->succeeded = how == job::FailureBoard::kSucceeded;
      last->root_cause = std::move(cause);
      last->rendezvous.state->closed = true;
      show(*last);
    } else {
      co_await look_at_all();
    }
    co_await wait_for_readers();
    co_await count_self(false);
  }

  void tell_trouble(const std::string& reason) {
    log::info("reading the job's store for the dashboard: ", reason);
    if (anybody_looks()) { publish(state_event + trouble_event(reason)); }
  }

  const std::string run_id;
  const std::string where;
  const std::string script;
  job::StoreLink link;
  progress::NodeClocks clocks{};
  const progress::ProgressBoard progress;
  const job::FailureBoard failures;
  loop::Notifier changed;
  loop::Notifier taken;  ///< a reader has got a frame
  asio::steady_timer pause;
  SeriesHistory history{};
  Frame frame{};
  std::string state_event{};
  std::vector<RankPlace> places{};
  std::optional<status::JobStatus> last{};  ///< that was shown
  std::optional<std::string> launcher_end{};
  std::vector<std::weak_ptr<Reader>> readers{};
  bool counted = false;
  bool said_uncounted = false;
  bool over = false;
};

JobFeed::JobFeed(asio::io_context& io, const std::string& run_id, const std::string& where, const std::string& script,
                 job::PlaceOfStore place)
    : session_(std::make_shared<Session>(io, run_id, where, script, std::move(place))) {
  asio::co_spawn(io, run(session_), asio::detached);
}

JobFeed::~JobFeed() {
  session_->over = true;
  session_->pause.cancel();
}

std::shared_ptr<Reader> JobFeed::begin_to_read() {
  auto reader = std::make_shared<Reader>();
  session_->readers.push_back(reader);
  return reader;
}

void JobFeed::has_got(Reader& reader, std::uint64_t frame) {
  reader.frame = frame;
  session_->taken.notify();
}

const JobFeed::Frame& JobFeed::frame() const {
  return session_->frame;
}

const SeriesHistory& JobFeed::history() const {
  return session_->history;
}

asio::awaitable<void> JobFeed::launcher_ends(std::string signal) {
  const std::shared_ptr<Session> session = session_;
  if (session->launcher_end) { co_return; }
  session->launcher_end = std::move(signal);
  session->over = true;  // the store goes, too
  if (!session->last || !session->anybody_looks()) { co_return; }
  session->last->launcher_end = session->launcher_end;
  session->show(*session->last);
  co_await session->wait_for_readers();
}

loop::Notifier& JobFeed::changed() {
  return session_->changed;
}

asio::awaitable<JobFeed::RankSought> JobFeed::find_rank(std::int64_t rank) {
  const std::shared_ptr<Session> session = session_;
  const std::shared_ptr<Reader> reader = begin_to_read();     // for whom the store is read
  reader->frame = std::numeric_limits<std::uint64_t>::max();  // who waits for none
  const auto deadline = WatchClock::now() + kSeek;
  while (session->state_event.empty() && WatchClock::now() < deadline) {
    co_await session->changed.wait_until(deadline);
  }
  RankSought sought;
  sought.known = !session->state_event.empty() && !session->places.empty();
  if (sought.known) { sought.node = node_of(session->places, rank); }
  co_return sought;
}

asio::awaitable<void> JobFeed::run(std::shared_ptr<Session> session) {
  milliseconds rest = kFirstWatchRest;
  while (!session->over) {
    std::optional<std::string> trouble;
    bool ended = false;
    try {
      co_await session->look();
      rest = kFirstWatchRest;
      ended = co_await session->wait_for_end();
      if (ended) { co_await session->show_end(); }
    } catch (const Error& error) { trouble = error.problem(); }
    if (ended) { co_return; }
    if (!trouble || session->over) { continue; }
    session->link.close();
    session->counted = false;
    session->tell_trouble(*trouble);
    boost::system::error_code ignored;
    session->pause.expires_after(rest);
    co_await session->pause.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    rest = std::min(rest * 2, kLongestWatchRest);
  }
}

}  // namespace mdl::launcher::dashboard
