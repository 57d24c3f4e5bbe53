#include "launcher/doctor_deep/toolkit_measurer.hpp"

#include <signal.h>
#include <unistd.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <utility>

#include "common/str_cat.hpp"
#include "launcher/process/stop_signals.hpp"
#include "rendezvous/server/listen_address.hpp"

namespace mdl::launcher::doctor_deep {
namespace {

constexpr const char* kStopSignals = "SIGTERM,SIGINT,SIGHUP,SIGQUIT";
constexpr std::chrono::milliseconds kForAnswers{1000};  ///< of other nodes, beyond the time of their programs

/// Ends this process as the signal would have, had it come at another time.
void end_by(int signo) {
  ::signal(signo, SIG_DFL);
  ::raise(signo);
}

/// Sockets of other nodes, until there is something to read on each.
class AwaitedSockets {
 public:
  AwaitedSockets(asio::io_context& io, const std::vector<int>& sockets, loop::Notifier& changed) {
    for (const int socket : sockets) {
      descriptors_.push_back(std::make_shared<asio::posix::stream_descriptor>(io, ::dup(socket)));
      ++*open_;
      descriptors_.back()->async_wait(asio::posix::stream_descriptor::wait_read,
                                      [open = open_, &changed](const boost::system::error_code&) {
                                        --*open;
                                        changed.notify();
                                      });
    }
  }

  /// Waiting has made the sockets non-blocking, which they share with the caller's descriptors.
  ~AwaitedSockets() {
    for (const auto& descriptor : descriptors_) {
      boost::system::error_code ignored;
      descriptor->native_non_blocking(false, ignored);
    }
  }
  AwaitedSockets(const AwaitedSockets&) = delete;
  AwaitedSockets& operator=(const AwaitedSockets&) = delete;

  bool all_ready() const { return *open_ == 0; }

 private:
  std::vector<std::shared_ptr<asio::posix::stream_descriptor>> descriptors_;
  std::shared_ptr<int> open_ = std::make_shared<int>(0);
};

}  // namespace

ToolkitMeasurer::ToolkitMeasurer(HealthCommand command, std::chrono::milliseconds for_loading)
    : command_(std::move(command)), for_loading_(for_loading), changed_(io_) {}

ToolkitMeasurer::~ToolkitMeasurer() = default;

std::uint16_t ToolkitMeasurer::open_store(const std::string& address) {
  using rendezvous::server::ListenAddress;
  using rendezvous::server::ListenScope;
  store_.reset();
  store_.emplace(io_, ListenAddress::of_store(address, ListenScope::as_given, /*guarded=*/false), std::uint16_t{0});
  store_->start();
  return store_->port();
}

asio::awaitable<void> ToolkitMeasurer::follow(HealthPrograms& programs, const std::vector<int>& others,
                                              std::chrono::milliseconds limit, const std::optional<int>& stopped) {
  const AwaitedSockets sockets(io_, others, changed_);
  const auto begin = loop::Notifier::Clock::now();
  const auto deadline = begin + limit;
  while (!stopped && !programs.ended() && loop::Notifier::Clock::now() < deadline) {
    co_await changed_.wait_until(deadline);
  }
  co_await programs.end();
  const auto last_answer = deadline + HealthPrograms::kGrace + HealthPrograms::kDeath + kForAnswers;
  while (!stopped && !sockets.all_ready() && loop::Notifier::Clock::now() < last_answer) {
    co_await changed_.wait_until(last_answer);
  }
}

NodeHealth ToolkitMeasurer::measure(const HealthRanks& ranks, std::chrono::seconds limit,
                                    const std::vector<int>& others) {
  HealthCommand command = command_;
  command.arguments.insert(command.arguments.end(), {"--json", "true", "--seconds", std::to_string(limit.count())});
  const std::chrono::milliseconds patience = limit + for_loading_;
  NodeHealth health;
  std::optional<int> stopped;
  {
    const process::StopSignals signals(io_, kStopSignals, [this] { changed_.notify(); });
    HealthPrograms programs(io_, command, ranks, changed_);
    bool done = false;
    std::exception_ptr failure;
    asio::co_spawn(io_, follow(programs, others, patience, signals.last()), [&](const std::exception_ptr& thrown) {
      done = true;
      failure = thrown;
    });
    io_.restart();
    while (!done) { io_.run_one(); }
    if (failure) { std::rethrow_exception(failure); }
    stopped = signals.last();
    health = programs.take(patience);
  }
  store_.reset();
  if (stopped) { end_by(*stopped); }
  return health;
}

}  // namespace mdl::launcher::doctor_deep
