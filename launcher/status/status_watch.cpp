#include "launcher/status/status_watch.hpp"

#include <algorithm>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <optional>
#include <utility>
#include <vector>

#include "common/error.hpp"
#include "common/join.hpp"
#include "common/str_cat.hpp"
#include "launcher/job/failure_board.hpp"
#include "launcher/job/spare_nodes.hpp"
#include "launcher/output/printable.hpp"
#include "launcher/status/status_json.hpp"
#include "launcher/status/status_screen.hpp"
#include "launcher/status/status_text.hpp"

namespace mdl::launcher::status {
namespace {

using rendezvous::client::TcpStoreClient;
using std::chrono::milliseconds;

constexpr milliseconds kDrawEach{1000};
constexpr milliseconds kLookEach{250};  // for a store that has gone
constexpr milliseconds kLeaveTimeout{500};
constexpr int kMostLosses = 5;  // of a store that comes back, without the job

std::string list_of(const std::vector<std::string>& ids) {
  constexpr std::size_t kMost = 20;
  std::vector<std::string> shown;
  for (std::size_t i = 0; i < std::min(ids.size(), kMost); ++i) { shown.push_back(output::printable(ids[i], 256)); }
  const std::string list = joined(shown, ", ", "\"", "\"");
  return ids.size() > kMost ? str_cat(list, " and ", ids.size() - kMost, " more") : list;
}

[[noreturn]] void throw_no_job(const WatchedJob& job, const std::vector<std::string>& others) {
  const std::string what =
      job.run_id.empty() ? "no job that could be meant" : str_cat("no job \"", output::printable(job.run_id), "\"");
  throw Error(str_cat("status: there is ", what, " at ", to_string(job.endpoint)),
              others.empty()
                  ? "No rendezvous at all is there: this store is for something else, or no node has come yet."
                  : str_cat("What is there: --rdzv-id ", list_of(others), "."));
}

/// With an empty run_id: the only job that is there.
asio::awaitable<JobStatus> find_job(TcpStoreClient& store, const WatchedJob& job) {
  JobStatus status = co_await read_job_status(store, job.endpoint, job.run_id);
  const std::vector<std::string> others = status.rendezvous.other_jobs;
  if (!status.rendezvous.state && job.run_id.empty() && others.size() == 1) {
    status = co_await read_job_status(store, job.endpoint, others.front());
  }
  if (!status.rendezvous.state) { throw_no_job(job, others); }
  co_return status;
}

asio::awaitable<JobStatus> connect_and_find(const WatchedJob& job) {
  TcpStoreClient store = co_await TcpStoreClient::connect(job.endpoint, job.credential, job.timeout);
  co_return co_await find_job(store, job);
}

std::string written(const JobStatus& status, bool as_json, std::size_t width) {
  const auto now = std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
  return as_json ? status_to_json(status, now) : format_status(status, now, width);
}

class StatusWatch {
 public:
  StatusWatch(WatchedJob job, bool as_json) : job_(std::move(job)), as_json_(as_json), screen_(as_json) {}

  /// Until the job ends, or stdout does.
  asio::awaitable<void> run() {
    TcpStoreClient store = co_await TcpStoreClient::connect(job_.endpoint, job_.credential, job_.timeout);
    JobStatus status = co_await find_job(store, job_);
    job_.run_id = status.run_id;
    co_await begin(store);
    int losses = 0;  // in a row
    while (draw(status) && !say_end(status)) {
      std::optional<std::string> lost;
      try {
        co_await look_again(store, status);
      } catch (const rendezvous::client::StoreConnectionError& error) { lost = error.problem(); }
      losses = lost ? losses + 1 : 0;
      if (!lost) { continue; }
      status.root_cause = root_cause_;
      if (root_cause_ || status.succeeded) { continue; }
      if (losses > kMostLosses) {
        say_lost(*lost);
        co_return;
      }
      lost = co_await look_for_store(store);
      if (lost) {
        say_lost(*lost);
        co_return;
      }
      co_await begin(store);
    }
    co_await count(store, -1);
  }

  /// The user watches no longer, while run() goes on.
  asio::awaitable<void> leave() {
    if (job_.run_id.empty() || !counted_) { co_return; }
    auto attempt = co_await TcpStoreClient::try_connect(job_.endpoint, job_.credential, kLeaveTimeout);
    if (!attempt) { co_return; }
    TcpStoreClient store = std::move(*attempt);
    store.set_reply_timeout(kLeaveTimeout);
    co_await count(store, -1);
  }

  bool written_all() const { return written_all_; }

 private:
  /// Its host may be started anew. Why it is not there, once the time for that is over.
  asio::awaitable<std::optional<std::string>> look_for_store(TcpStoreClient& store) {
    const auto deadline = std::chrono::steady_clock::now() + job_.timeout;
    asio::steady_timer pause(co_await asio::this_coro::executor);
    while (true) {
      const auto left = std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now());
      auto attempt = co_await TcpStoreClient::try_connect(job_.endpoint, job_.credential, std::max(left, kLookEach));
      if (attempt) {
        store = std::move(*attempt);
        co_return std::nullopt;
      }
      if (std::chrono::steady_clock::now() + kLookEach > deadline) { co_return attempt.error().reason; }
      pause.expires_after(kLookEach);
      co_await pause.async_wait(asio::use_awaitable);
    }
  }

  asio::awaitable<void> begin(TcpStoreClient& store) {
    store.set_reply_timeout(job_.timeout);
    counted_ = true;
    co_await count(store, 1);
  }

  /// The agent that hosts the store waits a moment at the job's end for those who watch it.
  asio::awaitable<void> count(TcpStoreClient& store, std::int64_t change) {
    try {
      const bool has_number = co_await job::count_watcher(store, job_.run_id, change);
      if (!has_number && !std::exchange(said_uncounted_, true)) { job::warn_of_uncounted(job_.run_id); }
    } catch (const rendezvous::client::StoreConnectionError&) {
      // It is gone, or will be told so at the next question.
    }
  }

  bool draw(const JobStatus& status) {
    written_all_ = screen_.draw(written(status, as_json_, screen_.columns()));
    return written_all_;
  }

  /// In a second, or as soon as the job's end is known. The agent that hosts the store may end right then: so what
  /// matters is read first, and kept.
  asio::awaitable<void> look_again(TcpStoreClient& store, JobStatus& status) {
    const job::FailureBoard board(job_.run_id);
    std::vector<std::string> keys;
    keys.push_back(board.end_key());
    const bool ended = co_await store.wait(keys, kDrawEach);
    if (ended) {
      const std::optional<std::string> how = co_await store.get_now(keys.front());
      status.succeeded = how == job::FailureBoard::kSucceeded;
      root_cause_ = co_await board.read(store);
    }
    JobStatus next = co_await read_job_status(store, job_.endpoint, job_.run_id, &clocks_);
    if (!next.rendezvous.state) { throw rendezvous::client::StoreConnectionError("it has no such job any longer"); }
    status = std::move(next);
  }

  /// False when the job goes on.
  bool say_end(const JobStatus& status) {
    const std::string name = str_cat("Job \"", output::printable(status.run_id), "\" ");
    if (status.root_cause) { return say(str_cat(name, "has failed: ", report::in_a_line(*status.root_cause))); }
    if (status.succeeded) { return say(name + "has succeeded"); }
    if (status.rendezvous.state->closed) { return say(name + "has ended"); }
    return false;
  }

  void say_lost(const std::string& reason) {
    if (as_json_) { written_all_ = screen_.add(gone_to_json(job_.run_id, job_.endpoint, reason)); }
    say(str_cat("The store of job \"", output::printable(job_.run_id), "\" at ", to_string(job_.endpoint), " is gone (",
                reason, "): the job has ended, or its host was lost"));
  }

  /// In the midst of JSON it would be none.
  bool say(const std::string& sentence) {
    if (!as_json_) { written_all_ = screen_.add(sentence + ".\n"); }
    return true;
  }

  WatchedJob job_;
  const bool as_json_;
  StatusScreen screen_;
  progress::NodeClocks clocks_{};
  std::optional<report::RootCause> root_cause_{};
  bool written_all_ = true;
  bool counted_ = false;
  bool said_uncounted_ = false;
};

}  // namespace

JobStatus read_status_once(const WatchedJob& job) {
  asio::io_context io;
  std::optional<JobStatus> status;
  std::exception_ptr failure;
  asio::co_spawn(io, connect_and_find(job), [&](const std::exception_ptr& error, JobStatus read) {
    failure = error;
    status = std::move(read);
    io.stop();
  });
  io.run();
  if (failure) { std::rethrow_exception(failure); }
  return std::move(*status);
}

int watch_status(const WatchedJob& job, bool as_json) {
  StatusWatch watch(job, as_json);
  asio::io_context io;
  asio::signal_set signals(io, SIGINT, SIGTERM);
  signals.async_wait([&](boost::system::error_code error, int) {
    if (error) { return; }
    asio::co_spawn(io, [&watch] { return watch.leave(); }, [&io](const std::exception_ptr&) { io.stop(); });
  });
  std::exception_ptr failure;
  asio::co_spawn(
      io, [&watch] { return watch.run(); },
      [&](const std::exception_ptr& error) {
        failure = error;
        io.stop();
      });
  io.run();
  if (failure) { std::rethrow_exception(failure); }
  return watch.written_all() ? 0 : kExitFailure;
}

}  // namespace mdl::launcher::status
