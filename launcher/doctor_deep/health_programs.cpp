#include "launcher/doctor_deep/health_programs.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <system_error>
#include <utility>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "common/unique_fd.hpp"
#include "launcher/command_line/signal_names.hpp"
#include "launcher/output/last_lines.hpp"
#include "launcher/output/printable.hpp"
#include "launcher/process/worker_env.hpp"

namespace mdl::launcher::doctor_deep {
namespace {

constexpr std::size_t kLongestQuote = 300;
constexpr std::size_t kMostPrinted = 2 * kLongestHealthLine;
constexpr const char* kErrorMark = "mdl-toolkit: error: ";

/// Empty, with errno, where there are no descriptors left.
struct HealthPipe {
  HealthPipe() {
    int ends[2] = {-1, -1};
    if (::pipe2(ends, O_CLOEXEC) != 0) { throw Error(describe_errno("cannot make", "a pipe", errno)); }
    reading.reset(ends[0]);
    writing.reset(ends[1]);
  }
  UniqueFd reading, writing;
};

process::GroupIdentity group_identity(const HealthRanks& ranks) {
  process::GroupIdentity group;
  group.role = "default";
  group.run_id = "doctor";
  group.group_rank = ranks.node;
  group.group_world_size = ranks.nodes;
  group.local_world_size = ranks.here;
  group.world_size = group.role_world_size = ranks.world_size;
  group.master_addr = ranks.master_addr;
  group.master_port = ranks.master_port;
  return group;
}

/// mdl-toolkit's own message in what a program has said, else its last line.
std::string told_error(const output::LastLines& said) {
  std::string last;
  for (const std::string& line : said.lines()) {
    if (const auto mark = line.find(kErrorMark); mark != std::string::npos) {
      return output::printable(line.substr(mark + std::string_view(kErrorMark).size()), kLongestQuote);
    }
    std::string text = output::printable(line, kLongestQuote);
    if (text.find_first_not_of(" \t") != std::string::npos) { last = std::move(text); }
  }
  return last;
}

}  // namespace

/// What one process writes.
struct HealthPrograms::Output {
  Output(asio::io_context& io, UniqueFd out, UniqueFd err) : printed(io, out.release()), errors(io, err.release()) {}

  asio::posix::stream_descriptor printed, errors;
  std::string text;        ///< what it has printed, up to a limit
  output::LastLines said;  ///< on stderr
  int open = 2;            ///< streams that may still say something

  void take_printed(std::string_view bytes) { text.append(bytes.substr(0, kMostPrinted - text.size())); }

  static asio::awaitable<void> read(std::shared_ptr<Output> self, bool of_errors, loop::Notifier& changed) {
    asio::posix::stream_descriptor& stream = of_errors ? self->errors : self->printed;
    std::array<char, 4096> buffer;
    boost::system::error_code error;
    while (true) {
      const std::size_t got =
          co_await stream.async_read_some(asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, error));
      if (error) { break; }
      const std::string_view bytes(buffer.data(), got);
      if (of_errors) {
        self->said.feed(bytes);
      } else {
        self->take_printed(bytes);
      }
    }
    --self->open;
    changed.notify();
  }
};

HealthPrograms::HealthPrograms(asio::io_context& io, const HealthCommand& command, const HealthRanks& ranks,
                               loop::Notifier& changed)
    : program_(command.program), changed_(changed) {
  const UniqueFd nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  std::vector<std::string> argv{command.program};
  argv.insert(argv.end(), command.arguments.begin(), command.arguments.end());
  std::vector<UniqueFd> theirs;
  std::vector<process::WorkerSpec> specs;
  for (int local_rank = 0; local_rank < ranks.here; ++local_rank) {
    const int rank = ranks.first + local_rank;
    HealthPipe out, err;
    specs.push_back(
        {command.program,
         argv,
         process::worker_environment(command.environment, group_identity(ranks), {local_rank, rank, rank}, {}),
         out.writing.get(),
         err.writing.get(),
         {}});
    specs.back().stdin_fd = nothing.get();
    outputs_.push_back(std::make_shared<Output>(io, std::move(out.reading), std::move(err.reading)));
    theirs.push_back(std::move(out.writing));
    theirs.push_back(std::move(err.writing));
  }
  if (specs.empty()) { return; }
  group_ = std::make_unique<process::WorkerGroup>(io, specs, changed);
  for (const auto& output : outputs_) {
    for (const bool of_errors : {false, true}) {
      asio::co_spawn(io, Output::read(output, of_errors, changed), asio::detached);
    }
  }
}

HealthPrograms::~HealthPrograms() {
  for (const auto& output : outputs_) {
    boost::system::error_code ignored;
    output->printed.close(ignored);
    output->errors.close(ignored);
  }
}

bool HealthPrograms::ended() const {
  if (!group_) { return true; }
  for (const process::WorkerState& worker : group_->workers()) {
    const bool is_over = worker.phase == process::WorkerState::Phase::exited ||
                         worker.phase == process::WorkerState::Phase::cannot_start;
    if (!is_over && !group_->any_cannot_start()) { return false; }
  }
  return true;
}

asio::awaitable<void> HealthPrograms::end() {
  if (!group_) { co_return; }
  if (!ended()) { co_await group_->ask_to_end(SIGTERM, kGrace, no_hurry_); }
  co_await group_->kill_rest(kDeath);
  const auto soon = loop::Notifier::Clock::now() + kDeath;
  const auto is_open = [](const auto& output) { return output->open > 0; };
  while (std::any_of(outputs_.begin(), outputs_.end(), is_open) && loop::Notifier::Clock::now() < soon) {
    co_await changed_.wait_until(soon);
  }
}

NodeHealth HealthPrograms::take(std::chrono::milliseconds limit) {
  NodeHealth health;
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    auto read = parse_health_line(health_line_of(outputs_[i]->text));
    if (read) {
      health.ranks.push_back(std::move(*read));
    } else if (health.problem.empty()) {
      health.problem = problem_of(i, read.error(), limit);
      health.advice = str_cat("Run it here by itself: ", program_, " health");
    }
  }
  return health;
}

std::string HealthPrograms::problem_of(std::size_t index, const std::string& why_no_line,
                                       std::chrono::milliseconds limit) const {
  const process::WorkerState& worker = group_->workers().at(index);
  const Output& output = *outputs_[index];
  const std::string which =
      outputs_.size() > 1 ? str_cat(program_, " health (process ", index, " here)") : str_cat(program_, " health");
  if (worker.phase == process::WorkerState::Phase::not_started) { return str_cat(which, " was not started"); }
  if (worker.phase == process::WorkerState::Phase::cannot_start) {
    return str_cat(program_, " cannot be started: ", std::generic_category().message(worker.start_errno));
  }
  std::string said = told_error(output.said);
  if (worker.told_to_stop || worker.phase == process::WorkerState::Phase::running) {
    return str_cat(which, " did not end within ", static_cast<double>(limit.count()) / 1000, " s and was stopped",
                   said.empty() ? "" : ": ", said);
  }
  if (output.text.find_first_not_of(" \t\n") != std::string::npos && WIFEXITED(worker.wait_status)) {
    return str_cat(which, " printed what is not understood (", why_no_line,
                   "): ", output::printable(health_line_of(output.text).substr(0, kLongestQuote), 80));
  }
  const std::string how = WIFSIGNALED(worker.wait_status)
                              ? str_cat("was ended by ", command_line::signal_name(WTERMSIG(worker.wait_status)))
                              : str_cat("ended with exit code ", WEXITSTATUS(worker.wait_status));
  return str_cat(which, ' ', how, said.empty() ? ", and said nothing" : ": ", said);
}

std::string health_line_of(const std::string& printed) {
  for (std::size_t end = printed.size(); end > 0;) {
    const std::size_t before = printed.rfind('\n', end - 1);
    const std::size_t begin = before == std::string::npos ? 0 : before + 1;
    if (begin < end && printed[begin] == '{') { return printed.substr(begin, end - begin); }
    end = before == std::string::npos ? 0 : before;
  }
  return printed;
}

}  // namespace mdl::launcher::doctor_deep
