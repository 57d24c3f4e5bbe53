#include "launcher/agent.hpp"

#include <signal.h>
#include <unistd.h>

#include <array>
#include <boost/asio/signal_set.hpp>
#include <cstdio>
#include <exception>
#include <memory>
#include <optional>

#include "common/error.hpp"
#include "common/log.hpp"
#include "common/str_cat.hpp"
#include "launcher/failure_report.hpp"
#include "launcher/notifier.hpp"
#include "launcher/oom_kills.hpp"
#include "launcher/output_mux.hpp"
#include "launcher/restart_policy.hpp"
#include "launcher/run_folder.hpp"
#include "launcher/worker_env.hpp"
#include "launcher/worker_group.hpp"
#include "rendezvous/tcp_store_server.hpp"

namespace mdl::launcher {
namespace {

using namespace std::chrono_literals;

constexpr auto kGrace = 30s;       // torchrun's --shutdown-timeout
constexpr auto kKillLimit = 10s;   // SIGKILL works at once or, in an uninterruptible system call, perhaps never
constexpr auto kOutputLimit = 2s;  // after a signal, for a reader of our output that does not read

std::string host_name() {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

bool is_ignored(int signo) {
  struct sigaction action {};
  return ::sigaction(signo, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

void print(const std::string& text) {
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t n = ::write(STDERR_FILENO, text.data() + done, text.size() - done);
    if (n <= 0) return;
    done += static_cast<std::size_t>(n);
  }
}

class Agent {
 public:
  explicit Agent(const LaunchPlan& plan)
      : plan_(plan),
        changed_(io_),
        signals_(io_),
        output_(io_),
        folder_("", plan.store.run_id),
        restarts_left_(plan.max_restarts),
        oom_kills_before_(oom_kills()) {
    adopt_orphans();
    ::signal(SIGPIPE, SIG_IGN);
    for (const int signo : {SIGTERM, SIGINT, SIGHUP, SIGQUIT}) {
      if (signo != SIGHUP || !is_ignored(SIGHUP)) signals_.add(signo);  // nohup's wish is kept
    }
    follow_signals();
    open_store(plan.store.port);
  }

  int run() {
    int exit_code = kExitFailure;
    std::exception_ptr failure;
    asio::co_spawn(
        io_, [&]() -> asio::awaitable<void> { exit_code = co_await work(); },
        [&](std::exception_ptr error) {
          failure = error;
          io_.stop();
        });
    io_.run();
    if (failure) std::rethrow_exception(failure);
    return exit_code;
  }

 private:
  asio::awaitable<int> work() {
    if (limits_omp_threads(plan_.environment, plan_.local_world_size)) {
      log::warning("OMP_NUM_THREADS is not set: giving each worker 1, so that ", plan_.local_world_size,
                   " workers do not overload this node. Set it to what suits the job");
    }
    start_workers();
    for (;;) {
      switch (decide(observe(), restarts_left_)) {
        case Decision::go_on:
          co_await changed_.wait();
          break;
        case Decision::finish:
          co_await output_.finish();
          co_return succeed();
        case Decision::restart_for_free:
        case Decision::restart:
          co_await restart();
          break;
        case Decision::give_up:
          co_return co_await fail();
        case Decision::obey_signal:
          co_return co_await obey_signal();
      }
    }
  }

  GroupObservation observe() const {
    GroupObservation seen;
    seen.all_succeeded = group_->all_succeeded();
    seen.any_failed = group_->any_failed();
    for (const WorkerState& worker : group_->workers()) {
      seen.cannot_start = seen.cannot_start || worker.phase == WorkerState::Phase::cannot_start;
    }
    seen.signalled = signal_.has_value();
    return seen;
  }

  /// An empty store for each attempt: in one that held the keys of the last, a worker could read the address of a peer
  /// that has been stopped before the new one has written its own. (torchrun keeps the store, and this happens to it.)
  void open_store(std::uint16_t port) {
    store_.reset();
    store_.emplace(io_, plan_.store.loopback_only ? ListenAddress::loopback() : ListenAddress::any(), port);
    store_->start();
  }

  int restart_count() const { return plan_.max_restarts - restarts_left_; }

  void start_workers() {
    GroupIdentity group;
    group.role = plan_.role;
    group.run_id = plan_.store.run_id;
    group.local_world_size = group.world_size = group.role_world_size = plan_.local_world_size;
    group.master_addr = plan_.store.master_addr;
    group.master_port = store_->port();
    group.restart_count = restart_count();
    group.max_restarts = plan_.max_restarts;

    folder_.open_attempt(restart_count(), plan_.local_world_size);
    const auto ends = output_.open_streams(plan_.local_world_size);
    std::vector<WorkerSpec> specs;
    for (int local_rank = 0; local_rank < plan_.local_world_size; ++local_rank) {
      const OutputMux::WorkerEnds& end = ends[static_cast<std::size_t>(local_rank)];
      const std::string error_file = folder_.error_file(restart_count(), local_rank).string();
      specs.push_back({plan_.command.executable, argv_of_worker(plan_.command, local_rank),
                       worker_environment(plan_.environment, group, {local_rank, local_rank, local_rank}, error_file),
                       end.out.get(), end.err.get()});
    }
    group_.reset();
    group_ = std::make_unique<WorkerGroup>(io_, specs, changed_);
  }

  asio::awaitable<void> stop_workers(int signo) {
    stopping_ = true;
    co_await group_->stop(signo, kGrace, kKillLimit, hurry_);
    stopping_ = false;
    if (!group_->broken().empty()) log::error(group_->broken());
  }

  int succeed() {
    group_->let_go();
    return 0;
  }

  asio::awaitable<void> restart() {
    const auto workers = describe_workers();
    if (const auto first = root_cause(workers)) {
      const ReportedWorker& worker = workers[*first];
      log::warning("worker rank ", worker.rank, " (pid ", worker.state.pid, ") failed with ",
                   describe_end(worker.state), ". Restarting all workers: restart ", restart_count() + 1, " of ",
                   plan_.max_restarts);
    }
    co_await stop_workers(SIGTERM);
    co_await output_.finish();
    if (signal_) co_return;
    --restarts_left_;
    open_store(store_->port());
    start_workers();
  }

  asio::awaitable<int> fail() {
    const auto running = group_->running();
    if (running > 0) log::warning("a worker has failed: stopping the other ", running);
    co_await stop_workers(SIGTERM);
    co_await output_.finish();
    FailureReport report{plan_.command.display_name, host_name(), describe_workers(), restart_count(),
                         plan_.max_restarts,         false};
    const auto oom_kills_now = oom_kills();
    report.out_of_memory = oom_kills_now && oom_kills_before_ && *oom_kills_now > *oom_kills_before_;
    print(format_report(report));

    const auto first = root_cause(report.workers);
    if (!first) co_return kExitFailure;
    const ReportedWorker& root = report.workers[*first];
    if (root.state.phase == WorkerState::Phase::cannot_start) {
      co_return root.state.start_errno == ENOENT ? kExitNotFound : kExitNotExecutable;
    }
    const auto own_error_file = find_variable(plan_.environment, "TORCHELASTIC_ERROR_FILE");
    if (root.error && own_error_file && !own_error_file->empty()) {
      pass_on_error_file(folder_.error_file(restart_count(), root.local_rank), *own_error_file,
                         python_exit_code(root.state));
    }
    co_return kExitFailure;
  }

  asio::awaitable<int> obey_signal() {
    const std::string name = str_cat("SIG", ::sigabbrev_np(*signal_));
    const int running = group_->running();
    log::warning("received ", name, ": passing it on to ", running, running == 1 ? " worker" : " workers",
                 ", which have 30 s to end; a second signal kills them");
    co_await stop_workers(*signal_);
    asio::steady_timer patience(io_, kOutputLimit);
    patience.async_wait([this](boost::system::error_code error) {
      if (!error) output_.give_up();
    });
    co_await output_.finish();
    log::warning("ended by ", name);
    co_return kExitFailure;
  }

  std::vector<ReportedWorker> describe_workers() const {
    std::vector<ReportedWorker> workers;
    for (std::size_t i = 0; i < group_->workers().size(); ++i) {
      const int local_rank = static_cast<int>(i);
      workers.push_back({local_rank, local_rank, group_->workers()[i],
                         read_error_file(folder_.error_file(restart_count(), local_rank)),
                         output_.last_stderr_lines(local_rank)});
    }
    return workers;
  }

  void follow_signals() {
    signals_.async_wait([this](boost::system::error_code error, int signo) {
      if (error) return;
      if (stopping_ || signal_) hurry_ = true;
      if (hurry_) output_.give_up();
      signal_ = signo;
      changed_.notify();
      follow_signals();
    });
  }

  const LaunchPlan& plan_;
  asio::io_context io_;
  Notifier changed_;
  asio::signal_set signals_;
  std::optional<TcpStoreServer> store_;
  OutputMux output_;
  RunFolder folder_;
  std::unique_ptr<WorkerGroup> group_;
  int restarts_left_;
  std::optional<std::int64_t> oom_kills_before_;
  std::optional<int> signal_;  ///< the last one that asked for the end
  bool stopping_ = false;
  bool hurry_ = false;  ///< a signal came while workers were already being stopped
};

}  // namespace

int run_agent(const LaunchPlan& plan) {
  return Agent(plan).run();
}

}  // namespace mdl::launcher
