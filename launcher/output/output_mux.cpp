#include "launcher/output/output_mux.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/signal_set.hpp>
#include <cerrno>
#include <fstream>
#include <optional>
#include <utility>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "launcher/output/worker_stream.hpp"
#include "launcher/output/worker_terminal.hpp"

namespace mdl::launcher::output {
namespace fs = std::filesystem;
namespace {

bool same_file(int a, int b) {
  struct stat first{};
  struct stat second{};
  return ::fstat(a, &first) == 0 && ::fstat(b, &second) == 0 && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino && first.st_rdev == second.st_rdev;
}

UniqueFd create_file(const fs::path& path) {
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666));
  if (!fd) {
    throw Error(describe_errno("cannot create the log file", path, errno), "Choose another folder with --log-dir.");
  }
  return fd;
}

std::vector<std::string> last_lines_of_file(const fs::path& path) {
  constexpr std::streamoff kTail = 32 * 1024;  // the last lines at their longest
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) { return {}; }
  const std::streamoff size = file.tellg();
  file.seekg(std::max<std::streamoff>(0, size - kTail));
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  LastLines lines;
  lines.feed(text);
  return lines.lines();
}

}  // namespace

class OutputMux::Impl {
 public:
  Impl(asio::io_context& io, int stdout_fd, int stderr_fd)
      : io_(io), fds_{stdout_fd, stderr_fd}, out_(io, stdout_fd), window_changes_(io) {
    if (!same_file(stdout_fd, stderr_fd)) { separate_err_.emplace(io, stderr_fd); }
    if (::isatty(stdout_fd) || ::isatty(stderr_fd)) {
      window_changes_.add(SIGWINCH);
      follow_window_size();
    }
  }

  std::vector<WorkerEnds> open_streams(int workers, const command_line::LogOptions& logs, const fs::path& folder,
                                       const std::vector<std::string>& prefixes) {
    routes_.clear();
    workers_ = workers;
    std::array<std::shared_ptr<LineFilter>, 2> filters;
    for (const command_line::Stream stream : {command_line::Stream::out, command_line::Stream::err}) {
      const auto& words = logs.duplicate_filters[index(stream)];
      if (words.empty() || logs.log_dir == command_line::kNoLogFiles) { continue; }
      filters[index(stream)] = std::make_shared<LineFilter>(
          LineFilter{words, create_file(folder / command_line::filtered_file_name(stream))});
    }
    std::vector<WorkerEnds> ends(static_cast<std::size_t>(workers));
    for (int local_rank = 0; local_rank < workers; ++local_rank) {
      const auto i = static_cast<std::size_t>(local_rank);
      const std::string prefix = i < prefixes.size() ? prefixes[i] : "";
      for (const command_line::Stream stream : {command_line::Stream::out, command_line::Stream::err}) {
        const fs::path file = folder / std::to_string(local_rank) / command_line::log_file_name(stream);
        UniqueFd& end = stream == command_line::Stream::out ? ends[i].out : ends[i].err;
        end = open_stream(local_rank, stream, command_line::route_of(logs, local_rank, stream), file, prefix,
                          filters[index(stream)]);
      }
    }
    for (const Route& route : routes_) {
      if (route.stream) { asio::co_spawn(io_, route.stream->pump(), asio::detached); }
    }
    return ends;
  }

  asio::awaitable<void> finish() {
    for (const Route& route : routes_) {
      if (route.stream) { co_await route.stream->finish(); }
    }
    co_await out_.flush();
    co_await console(command_line::Stream::err).flush();
  }

  asio::awaitable<void> hand_over(std::vector<LeftStream>& left) {
    for (std::size_t i = 0; i < routes_.size(); ++i) {
      const std::shared_ptr<WorkerStream> stream = routes_[i].stream;
      if (!stream) { continue; }
      co_await stream->drain();
      if (stream->has_ended()) { continue; }
      left.push_back(stream->hand_over());
      left.back().to_stderr = i % 2 == index(command_line::Stream::err) && separate_err_.has_value();
      if (!routes_[i].to_console) { continue; }
      left.back().console.reset(::fcntl(fds_[left.back().to_stderr ? 1 : 0], F_DUPFD_CLOEXEC, 0));
    }
  }

  bool has_ended(int local_rank) const {
    const auto first = routes_.begin() + static_cast<std::ptrdiff_t>(local_rank) * 2;
    return std::all_of(first, first + 2, [](const Route& route) { return !route.stream || route.stream->has_ended(); });
  }

  std::chrono::steady_clock::time_point last_heard(std::optional<int> local_rank) {
    auto last = std::chrono::steady_clock::time_point::min();
    for (std::size_t i = 0; i < routes_.size(); ++i) {
      if (local_rank && i / 2 != static_cast<std::size_t>(*local_rank)) { continue; }
      if (routes_[i].stream && routes_[i].stream->has_ended()) { continue; }
      last = std::max(last, routes_[i].stream ? routes_[i].stream->last_heard() : routes_[i].last_growth());
    }
    return last;
  }

  void give_up() {
    out_.give_up();
    console(command_line::Stream::err).give_up();
  }

  std::vector<std::string> last_stderr_lines(int local_rank) const {
    const std::size_t i = static_cast<std::size_t>(local_rank) * 2 + index(command_line::Stream::err);
    if (i >= routes_.size()) { return {}; }
    return routes_[i].stream ? routes_[i].stream->last_lines().lines() : last_lines_of_file(routes_[i].file);
  }

 private:
  /// A stream that passes through the launcher, or the file that the worker writes itself.
  struct Route {
    std::shared_ptr<WorkerStream> stream;
    bool to_console;
    fs::path file;
    std::uintmax_t size = 0;  ///< of the file, at `grew`
    std::chrono::steady_clock::time_point grew{};

    /// As far as one look after the other can tell.
    std::chrono::steady_clock::time_point last_growth() {
      std::error_code error;
      const std::uintmax_t now = fs::file_size(file, error);
      if (!error && std::exchange(size, now) != now) { grew = std::chrono::steady_clock::now(); }
      return grew;
    }
  };

  static std::size_t index(command_line::Stream stream) { return static_cast<std::size_t>(stream); }

  OutputDestination& console(command_line::Stream stream) {
    return stream == command_line::Stream::err && separate_err_ ? *separate_err_ : out_;
  }

  UniqueFd open_stream(int local_rank, command_line::Stream stream, const command_line::StreamRoute& route,
                       const fs::path& file, const std::string& prefix, const std::shared_ptr<LineFilter>& filter) {
    if (route.to_file && !route.prefixed) {
      routes_.push_back({nullptr, false, file});
      return create_file(file);
    }
    StreamSinks sinks;
    if (route.to_console) { sinks.console = &console(stream); }
    sinks.whole_lines = workers_ > 1;
    sinks.line_by_line = route.prefixed;
    sinks.prefix = route.prefixed ? prefix : "";
    if (route.to_file) { sinks.file = create_file(file); }
    if (route.duplicated) { sinks.filter = filter; }
    // A tee'd worker writes to a file under torchrun, and must not draw for a terminal here.
    WorkerPipe pipe = make_worker_pipe(route.prefixed || !route.to_console ? -1 : fds_[index(stream)]);
    auto reading = std::make_shared<WorkerStream>(io_, local_rank, std::move(pipe.read_end), std::move(sinks));
    routes_.push_back({std::move(reading), route.to_console, {}});
    return std::move(pipe.write_end);
  }

  void follow_window_size() {
    window_changes_.async_wait([this](boost::system::error_code error, int) {
      if (error) { return; }
      for (std::size_t i = 0; i < routes_.size(); ++i) {
        if (routes_[i].stream) { copy_terminal_size(fds_[i % 2], routes_[i].stream->native_handle()); }
      }
      follow_window_size();
    });
  }

  asio::io_context& io_;
  std::array<int, 2> fds_;
  OutputDestination out_;
  std::optional<OutputDestination> separate_err_;  ///< empty when stdout and stderr are one file
  std::vector<Route> routes_;                      ///< stdout and stderr of rank 0, of rank 1, …
  int workers_ = 0;
  asio::signal_set window_changes_;
};

OutputMux::OutputMux(asio::io_context& io, int stdout_fd, int stderr_fd)
    : impl_(std::make_unique<Impl>(io, stdout_fd, stderr_fd)) {}
OutputMux::~OutputMux() = default;

std::vector<OutputMux::WorkerEnds> OutputMux::open_streams(int workers, const command_line::LogOptions& logs,
                                                           const fs::path& attempt_folder,
                                                           const std::vector<std::string>& prefixes) {
  return impl_->open_streams(workers, logs, attempt_folder, prefixes);
}
asio::awaitable<void> OutputMux::finish() {
  return impl_->finish();
}
asio::awaitable<void> OutputMux::hand_over(std::vector<LeftStream>& left) {
  return impl_->hand_over(left);
}
bool OutputMux::has_ended(int local_rank) const {
  return impl_->has_ended(local_rank);
}
std::chrono::steady_clock::time_point OutputMux::last_heard(std::optional<int> local_rank) {
  return impl_->last_heard(local_rank);
}
void OutputMux::give_up() {
  impl_->give_up();
}
std::vector<std::string> OutputMux::last_stderr_lines(int local_rank) const {
  return impl_->last_stderr_lines(local_rank);
}

}  // namespace mdl::launcher::output
