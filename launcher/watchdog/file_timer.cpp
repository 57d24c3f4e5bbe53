#include "launcher/watchdog/file_timer.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <utility>

#include "common/error.hpp"
#include "common/join.hpp"
#include "common/log.hpp"
#include "common/process_stat.hpp"
#include "common/str_cat.hpp"
#include "common/unique_fd.hpp"
#include "common/uuid.hpp"
#include "launcher/command_line/signal_names.hpp"
#include "launcher/output/printable.hpp"
#include "launcher/output/run_folder.hpp"
#include "launcher/process/process_tree.hpp"
#include "launcher/process/worker_env.hpp"

namespace mdl::launcher::watchdog {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kShownBytes = 100;  // of what somebody else has written, in a message

double seconds_since_epoch() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

bool has_reader(const fs::path& fifo) {
  struct stat info{};
  if (::stat(fifo.c_str(), &info) != 0 || !S_ISFIFO(info.st_mode)) { return false; }
  const UniqueFd writer(::open(fifo.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
  return static_cast<bool>(writer);
}

/// Throws Error when there is something at `path` that must not be replaced.
void make_room(const fs::path& path) {
  struct stat info{};
  if (::lstat(path.c_str(), &info) != 0) {
    return;  // not there, or mkfifo says why it cannot be
  }
  if (S_ISFIFO(info.st_mode) && has_reader(path)) {
    throw Error(str_cat("another process already serves the timers at ", path.string()),
                "Give each launcher of a host a TORCHELASTIC_TIMER_FILE of its own, or leave it out.");
  }
  if (!S_ISFIFO(info.st_mode) && !(S_ISREG(info.st_mode) && info.st_size == 0)) {
    throw Error(str_cat("TORCHELASTIC_TIMER_FILE names something that is there already: ", path.string()),
                "Name a path where the launcher can make a FIFO, or leave it out.");
  }
  ::unlink(path.c_str());
}

int make_fifo(const fs::path& path) {
  make_room(path);
  // Both ends are open here, so that a client always finds a reader, and reading never meets an end.
  int fd = -1;
  if (::mkfifo(path.c_str(), 0600) == 0) { fd = ::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC); }
  if (fd < 0) {
    throw Error(describe_errno("cannot make the FIFO of the workers' timers,", path, errno),
                "Name a path in a folder that you may write to with TORCHELASTIC_TIMER_FILE, or leave it out.");
  }
  return fd;
}

std::string listed(const std::vector<std::string>& scopes) {
  std::vector<std::string> shown;
  for (const std::string& scope : scopes) { shown.push_back(output::printable(scope, kShownBytes)); }
  return joined(shown);
}

}  // namespace

std::unique_ptr<FileTimer> serve_timers(asio::io_context& io, const std::vector<std::string>& environment,
                                        const fs::path& folder, FileTimer::Root root, FileTimer::OnExpired on_expired) {
  const auto wanted = process::find_variable(environment, "TORCHELASTIC_ENABLE_FILE_TIMER");
  if (wanted && !wanted->empty() && *wanted != "0" && *wanted != "1") {
    log::warning("TORCHELASTIC_ENABLE_FILE_TIMER=", *wanted,
                 " is neither 0 nor 1, so there are no timers, as with torchrun");
  }
  if (wanted != "1") { return nullptr; }
  const auto named = process::find_variable(environment, "TORCHELASTIC_TIMER_FILE");
  // (A launcher that is itself a worker inherits the path of the outer one's, which goes on serving it.)
  if (named && !named->empty() && !has_reader(*named)) {
    return std::make_unique<FileTimer>(io, *named, std::move(root), std::move(on_expired));
  }
  if (named && !named->empty()) {
    log::news("another process serves the timers at TORCHELASTIC_TIMER_FILE=", *named,
              ": those of this launcher's workers get a FIFO of their own");
  }
  if (!folder.empty()) {
    try {
      return std::make_unique<FileTimer>(io, folder / "watchdog_timer", root, on_expired);
    } catch (const Error& error) {  // such as a folder of logs in object storage
      log::info(error.what());
    }
  }
  const std::string name = str_cat("watchdog_timer_", make_uuid());
  for (const auto& [variable, place] : output::named_temporary_places()) {
    try {
      return std::make_unique<FileTimer>(io, place / name, root, on_expired);
    } catch (const Error& error) { log::info(variable, ": ", error.what()); }
  }
  return std::make_unique<FileTimer>(io, fs::path("/tmp") / name, std::move(root), std::move(on_expired));
}

FileTimer::FileTimer(asio::io_context& io, fs::path path, Root root, OnExpired on_expired)
    : path_(std::move(path)),
      root_(std::move(root)),
      on_expired_(std::move(on_expired)),
      fifo_(io, make_fifo(path_)),
      alarm_(io) {
  follow();
}

FileTimer::~FileTimer() {
  ::unlink(path_.c_str());
}

void FileTimer::follow() {
  fifo_.async_read_some(asio::buffer(buffer_), [this](boost::system::error_code error, std::size_t n) {
    if (error) { return; }
    const int too_long = lines_.feed({buffer_.data(), n}, [this](std::string_view line) { take(line); });
    if (too_long > 0) { complain_once(said_wrong_, str_cat("a line of more than ", RequestLines::kLongest, " bytes")); }
    wait_for_next();
    follow();
  });
}

void FileTimer::take(std::string_view line) {
  const auto request = parse_timer_request(line);
  if (!request) {
    complain_once(said_wrong_, str_cat("what is no timer: ", output::printable(line, kShownBytes)));
    return;
  }
  const auto root = root_();
  const auto pid = static_cast<pid_t>(request->pid);
  const auto process = process_stat(pid);
  if (!process) {
    return;  // it has ended meanwhile
  }
  if (!root || !process::descends_from(pid, *root)) {
    complain_once(said_stranger_, str_cat("a timer of process ", pid, ", which is none of this launcher's"));
    return;
  }
  if (!book_.take(*request, process->start_time, TimerBook::Time::clock::now(), seconds_since_epoch())) {
    complain_once(said_too_many_, str_cat("more than ", TimerBook::kMost, " timers at once"));
  }
}

void FileTimer::complain_once(bool& said, const std::string& problem) {
  if (!said) {
    log::warning("ignoring, from ", path_.string(), ": ", problem, ". The next ones are ignored without a word");
  }
  said = true;
}

void FileTimer::wait_for_next() {
  const auto next = book_.next();
  if (!next) {
    alarm_.cancel();
    return;
  }
  alarm_.expires_at(*next);
  alarm_.async_wait([this](boost::system::error_code error) {
    if (error) { return; }
    expire();
    wait_for_next();
  });
}

void FileTimer::expire() {
  const auto root = root_();
  for (const TimerBook::Expired& expired : book_.take_expired(TimerBook::Time::clock::now())) {
    const auto pid = static_cast<pid_t>(expired.pid);
    const auto process = process_stat(pid);
    const bool is_ours = root && process && process->start_time == expired.process_start && process->state != 'Z' &&
                         process::descends_from(pid, *root);
    if (!is_ours) {
      continue;  // it has ended
    }
    const std::string names = listed(expired.scopes);
    if (expired.signal == 0) {
      log::warning("a timer of process ", pid, " has expired (", names, "); it names no signal");
      continue;
    }
    log::warning("a timer of process ", pid, " has expired (", names, "): sending it ",
                 command_line::signal_name(expired.signal));
    ::kill(pid, expired.signal);
    on_expired_(pid, names);
  }
}

}  // namespace mdl::launcher::watchdog
