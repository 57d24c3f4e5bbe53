#include "launcher/health/health_check.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <optional>
#include <system_error>
#include <utility>

#include "common/loop/notifier.hpp"
#include "common/str_cat.hpp"
#include "common/unique_fd.hpp"
#include "launcher/command_line/signal_names.hpp"
#include "launcher/output/last_lines.hpp"
#include "launcher/output/printable.hpp"
#include "launcher/process/process_tree.hpp"
#include "launcher/process/worker_process.hpp"

namespace mdl::launcher::health {
namespace {

using namespace std::chrono_literals;
using Clock = loop::Notifier::Clock;

constexpr std::size_t kLongestLine = 512;  // of what a message quotes
constexpr auto kLook = 20ms;               // for the end of a program, where the kernel does not tell of it
constexpr auto kDeath = 1s;                // for what was killed, and for the rest of its output
constexpr int kReapMs = 100;

struct OutputPipe {
  UniqueFd reading, writing;
};

/// Empty, with errno, where there are no descriptors left.
OutputPipe make_pipe() {
  int ends[2] = {-1, -1};
  OutputPipe pipe;
  if (::pipe2(ends, O_CLOEXEC) == 0) {
    pipe.reading.reset(ends[0]);
    pipe.writing.reset(ends[1]);
  }
  return pipe;
}

}  // namespace

/// What one stream of the program says.
struct HealthCheck::Stream {
  Stream(asio::io_context& io, UniqueFd fd) : descriptor(io, fd.release()) {}
  asio::posix::stream_descriptor descriptor;
  output::LastLines lines;
  bool ended = false;
};

/// One run of the program. Shared with the coroutines that read from it.
struct HealthCheck::Running {
  explicit Running(asio::io_context& io) : changed(io) {}
  ~Running() { kill(); }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  /// Kills everything that is left, and reaps it, orphans too, which this process adopts. One that hangs in the kernel
  /// is not waited for.
  void kill() {
    if (group <= 0) { return; }
    const std::vector<pid_t> family = process::descendants_of(group);
    ::kill(-group, SIGKILL);
    for (const pid_t pid : family) { ::kill(pid, SIGKILL); }
    for (int waited = 0; waited < kReapMs && !reap(family); ++waited) { ::poll(nullptr, 0, 1); }
    group = -1;
  }

  /// Whether none is left.
  bool reap(const std::vector<pid_t>& family) const {
    pid_t pid = 0;
    do { pid = ::waitpid(-group, nullptr, WNOHANG); } while (pid > 0);
    const bool group_is_gone = pid < 0;
    const auto is_gone = [](pid_t one) { return ::waitpid(one, nullptr, WNOHANG) > 0 || ::kill(one, 0) != 0; };
    return std::count_if(family.begin(), family.end(), is_gone) == std::ssize(family) && group_is_gone;
  }

  /// Whether the program has ended; it stays a zombie, so that its group's number is nobody else's, until kill().
  bool has_ended() {
    siginfo_t info{};
    if (!end_of_program && ::waitid(P_PID, static_cast<id_t>(group), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
        info.si_pid == group) {
      end_of_program = info;
    }
    return end_of_program.has_value();
  }

  static asio::awaitable<void> read(std::shared_ptr<Running> self, std::shared_ptr<Stream> stream) {
    std::array<char, 4096> buffer;
    boost::system::error_code error;
    while (!error) {
      const std::size_t got = co_await stream->descriptor.async_read_some(
          asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, error));
      stream->lines.feed({buffer.data(), got});
    }
    stream->ended = true;
    self->changed.notify();
  }

  /// Notifies at the program's end; where the kernel cannot (before Linux 5.3) false.
  bool watch_end(asio::io_context& io) {
    UniqueFd fd(static_cast<int>(::syscall(SYS_pidfd_open, group, 0)));
    if (!fd) { return false; }
    end.emplace(io, fd.release());
    end->async_wait(asio::posix::stream_descriptor::wait_read, [this](boost::system::error_code error) {
      if (!error) { changed.notify(); }
    });
    return true;
  }

  /// The last line of the errors, or else of the output.
  std::string last_line() const {
    for (const auto& stream : {errors, output}) {
      const std::vector<std::string> lines = stream->lines.lines();
      for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
        std::string text = output::printable(*line, kLongestLine);
        if (text.find_first_not_of(" \t") != std::string::npos) { return text; }
      }
    }
    return {};
  }

  loop::Notifier changed;
  pid_t group = -1;  ///< the program's pid, and its group's
  std::optional<siginfo_t> end_of_program{};
  bool given_up = false;
  std::shared_ptr<Stream> output, errors;
  std::optional<asio::posix::stream_descriptor> end;
};

namespace {

/// How it has ended, where that was no success.
std::string end_text(const siginfo_t& end) {
  if (end.si_code == CLD_EXITED) { return str_cat("ended with exit code ", end.si_status); }
  return str_cat("was ended by ", command_line::signal_name(end.si_status));
}

std::string with_line(const std::string& what, const std::string& line) {
  return line.empty() ? str_cat(what, ", and said nothing") : str_cat(what, ": ", line);
}

}  // namespace

HealthCheck::HealthCheck(asio::io_context& io, const command_line::HealthCommand& command,
                         const std::vector<std::string>& environment, std::chrono::milliseconds limit)
    : io_(io), command_(command), environment_(environment), limit_(limit) {}

HealthCheck::~HealthCheck() {
  stop();
}

void HealthCheck::stop() {
  stopped_ = true;
  if (!running_) { return; }
  running_->given_up = true;
  running_->kill();
  running_->changed.notify();
}

/// Starts the program; the errno of what failed, or 0.
int HealthCheck::start(Running& running) {
  OutputPipe out = make_pipe();
  OutputPipe err = make_pipe();
  const UniqueFd nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!out.reading || !err.reading || !nothing) { return EMFILE; }
  process::WorkerSpec spec{command_.executable, command_.argv, environment_, out.writing.get(), err.writing.get(), {}};
  spec.stdin_fd = nothing.get();
  const process::StartedProcess started = process::start_worker(spec);
  if (started.error != 0) { return started.error; }
  running.group = started.pid;
  running.output = std::make_shared<Stream>(io_, std::move(out.reading));
  running.errors = std::make_shared<Stream>(io_, std::move(err.reading));
  return 0;
}

asio::awaitable<void> HealthCheck::run(HealthVerdict& verdict) {
  verdict = HealthVerdict();
  if (stopped_) { co_return; }
  const auto running = std::make_shared<Running>(io_);
  if (const int error = start(*running)) {
    verdict.problem = str_cat("could not be started: ", std::generic_category().message(error));
    co_return;
  }
  running_ = running;
  asio::co_spawn(io_, Running::read(running, running->output), asio::detached);
  asio::co_spawn(io_, Running::read(running, running->errors), asio::detached);
  const bool told = running->watch_end(io_);
  const auto deadline = Clock::now() + limit_;
  while (!running->given_up && !running->has_ended() && Clock::now() < deadline) {
    const auto next_look = told ? deadline : std::min<Clock::time_point>(deadline, Clock::now() + kLook);
    co_await running->changed.wait_until(next_look);
  }
  const bool in_time = running->has_ended();
  running->kill();
  const auto soon = Clock::now() + kDeath;
  while (!running->given_up && !(running->output->ended && running->errors->ended) && Clock::now() < soon) {
    co_await running->changed.wait_until(soon);
  }
  // Somebody in a session of his own may hold them open.
  boost::system::error_code ignored;
  running->output->descriptor.close(ignored);
  running->errors->descriptor.close(ignored);
  running_.reset();
  if (running->given_up) { co_return; }
  verdict.healthy =
      in_time && running->end_of_program->si_code == CLD_EXITED && running->end_of_program->si_status == 0;
  if (verdict.healthy) { co_return; }
  const std::string what =
      in_time ? end_text(*running->end_of_program)
              : str_cat("did not end within ", std::chrono::duration<double>(limit_).count(), " s and was killed");
  verdict.problem = with_line(what, running->last_line());
}

}  // namespace mdl::launcher::health
