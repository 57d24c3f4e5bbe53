#include "launcher/progress/progress_teller.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <utility>

#include "common/error.hpp"
#include "common/host.hpp"
#include "common/log.hpp"
#include "launcher/progress/progress_board.hpp"
#include "launcher/progress/progress_message.hpp"
#include "launcher/progress/progress_sockets.hpp"

namespace mdl::launcher::progress {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kFirstRest{2};  // after the store was not reached, then twice as long, and so on
constexpr std::chrono::seconds kLongestRest{60};
constexpr std::chrono::milliseconds kFirstQuiet{200};  // of a job that ends at once nobody needs to be told
constexpr std::size_t kMostEvents = 16;
constexpr int kMostAttempts = 3;  // to post one event, at a store that was reached each time

NodeTime wall_clock() {
  return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

}  // namespace

/// Shared with the coroutine that tells, which may end a little after its owner.
struct ProgressTeller::Session {
  /// An event that is to be told.
  struct Waiting {
    JobEvent event{};
    int attempts = 0;
  };

  Session(asio::io_context& loop, const std::string& run_id, job::PlaceOfStore where)
      : board(run_id), place(where), link(std::move(where)), pause(loop) {}

  bool has_summary() const { return sockets && heard; }

  Clock::time_point summary_due() const {
    return has_summary() ? told_at + (fresh ? kDistance : kRefresh) : Clock::time_point::max();
  }

  /// When there is something to tell next; max(): not before somebody calls wake().
  Clock::time_point next() const {
    const Clock::time_point due = events.empty() ? summary_due() : Clock::time_point::min();
    return due == Clock::time_point::max() ? due : std::max(due, rest_until);
  }

  void wake() { pause.cancel(); }

  NodeSummary summary() const {
    NodeSummary summary;
    summary.round = group.round;
    summary.group_rank = group.group_rank;
    summary.written = wall_clock();
    summary.host = host_name();
    summary.first_rank = group.first_rank;
    if (sockets) { summary.ranks = sockets->summaries(Clock::now()); }
    for (std::size_t i = 0; i < summary.ranks.size(); ++i) {
      const int local_rank = static_cast<int>(i);
      summary.ranks[i].ended = ended.contains(local_rank);
      const auto pid = pids.find(local_rank);
      if (pid != pids.end() && !summary.ranks[i].ended) { summary.ranks[i].pid = pid->second; }
      if (describe_gpu) { summary.ranks[i].gpu = describe_gpu(local_rank); }
    }
    return summary;
  }

  /// What the workers say first, so that an event that the store does not take does not hold it up. Throws Error.
  asio::awaitable<void> tell() {
    co_await link.open();
    if (summary_due() <= Clock::now()) {
      told_at = Clock::now();
      fresh = false;
      NodeSummary now = summary();
      co_await board.post(link.store(), std::move(now));
    }
    while (!events.empty()) {
      const std::shared_ptr<Waiting> waiting = events.front();  // which may be dropped meanwhile, for newer ones
      bool posted = true;
      if (waiting->attempts++ < kMostAttempts) { posted = co_await board.post(link.store(), waiting->event); }
      if (!posted && !std::exchange(said_uncounted, true)) {
        log::warning("the key ", board.count_key(), " of the job's store holds what is no number: somebody else has ",
                     "written there. What happens to the job is not among its events any more; all else goes on");
      }
      if (!events.empty() && events.front() == waiting) { events.pop_front(); }
    }
  }

  const ProgressBoard board;
  const job::PlaceOfStore place;
  job::StoreLink link;
  asio::steady_timer pause;
  std::unique_ptr<ProgressSockets> sockets{};
  TellingGroup group{};
  bool said_uncounted = false;
  bool heard = false;     ///< anything, in this attempt
  bool fresh = false;     ///< something since the last time
  std::set<int> ended{};  ///< workers, by local rank
  std::map<int, std::int64_t> pids{};
  std::function<void()> first_word{};
  std::function<std::string(int local_rank)> describe_gpu{};
  std::deque<std::shared_ptr<Waiting>> events{};  ///< each until it is in the store
  Clock::time_point told_at{};
  Clock::time_point rest_until = Clock::now() + kFirstQuiet;
  std::chrono::seconds rest = kFirstRest;
  bool over = false;
};

ProgressTeller::ProgressTeller(asio::io_context& io, const std::filesystem::path& run_folder, const std::string& run_id,
                               job::PlaceOfStore place)
    : io_(io), folder_(run_folder), session_(std::make_shared<Session>(io, run_id, std::move(place))) {
  asio::co_spawn(io_, run(session_), asio::detached);
}

ProgressTeller::~ProgressTeller() {
  session_->over = true;
  session_->sockets.reset();
  session_->wake();
}

std::vector<std::filesystem::path> ProgressTeller::begin(TellingGroup group) {
  end();
  session_->group = group;
  session_->sockets = std::make_unique<ProgressSockets>(
      io_, folder_, group.workers, [this, session = session_.get()](int local_rank, std::int64_t wrong) {
        if (wrong > 0 && !said_wrong_) {
          said_wrong_ = true;
          log::warning("rank ", session->group.first_rank + local_rank,
                       " has sent to MDL_PROGRESS what is no JSON object of at most ", kLargestProgressMessage,
                       " bytes. Such messages are counted, and passed over without a word");
        }
        if (session->fresh) { return; }
        const bool is_first = !std::exchange(session->heard, true);
        session->fresh = true;
        session->wake();
        if (is_first && session->first_word) { session->first_word(); }
      });
  return session_->sockets->paths();
}

void ProgressTeller::end() {
  session_->sockets.reset();
  session_->heard = session_->fresh = false;
  session_->ended.clear();
  session_->pids.clear();
}

void ProgressTeller::worker_runs(int local_rank, std::int64_t pid) {
  session_->pids.insert_or_assign(local_rank, pid);
}

void ProgressTeller::worker_ended(int local_rank) {
  if (!session_->ended.insert(local_rank).second || !session_->heard) { return; }
  session_->fresh = true;
  session_->wake();
}

void ProgressTeller::on_first_word(std::function<void()> call) {
  session_->first_word = std::move(call);
}

bool ProgressTeller::heard() const {
  return session_->has_summary();
}

const TellingGroup& ProgressTeller::group() const {
  return session_->group;
}

NodeSummary ProgressTeller::summary() const {
  return session_->summary();
}

void ProgressTeller::describe_gpus(std::function<std::string(int local_rank)> describe) {
  session_->describe_gpu = std::move(describe);
}

void ProgressTeller::happened(const std::string& kind, const std::string& text, std::optional<HangFacts> hang) {
  JobEvent event;
  event.kind = kind;
  event.text = text;
  event.hang = std::move(hang);
  happened(std::move(event));
}

void ProgressTeller::happened(JobEvent event) {
  if (!session_->place()) { return; }
  const auto waiting = std::make_shared<Session::Waiting>();
  waiting->event = std::move(event);
  waiting->event.at = wall_clock();
  waiting->event.host = host_name();
  if (session_->events.size() >= kMostEvents) { session_->events.pop_front(); }
  session_->events.push_back(waiting);
  session_->wake();
}

asio::awaitable<void> ProgressTeller::run(std::shared_ptr<Session> session) {
  while (!session->over) {
    if (session->next() > Clock::now()) {
      boost::system::error_code ignored;
      session->pause.expires_at(session->next());
      co_await session->pause.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
      continue;
    }
    bool failed = !session->place();
    try {
      if (!failed) { co_await session->tell(); }
    } catch (const Error& error) {
      log::info("telling the job's store how the workers get on: ", error.problem());
      failed = true;
    }
    if (!failed) {
      session->rest = kFirstRest;
      continue;
    }
    session->link.close();
    session->rest_until = Clock::now() + session->rest;
    session->rest = std::min(session->rest * 2, kLongestRest);
  }
}

}  // namespace mdl::launcher::progress
