#include "launcher/output_mux.hpp"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <chrono>

#include "launcher/last_lines.hpp"
#include "launcher/output_destination.hpp"
#include "launcher/worker_terminal.hpp"

namespace mdl::launcher {
namespace {

constexpr std::size_t kReadSize = 64 * 1024;  // a pipe's capacity
constexpr std::size_t kLongestHeldLine = 64 * 1024;
constexpr std::size_t kMostLeftInAPipe = 1 << 20;  // the default limit of a pipe's capacity (pipe-max-size)
constexpr std::chrono::milliseconds kHoldUnfinishedLine{100};

bool same_file(int a, int b) {
  struct stat first {};
  struct stat second {};
  return ::fstat(a, &first) == 0 && ::fstat(b, &second) == 0 && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino && first.st_rdev == second.st_rdev;
}

/// One stream of one worker on its way to a destination.
class WorkerStream : public std::enable_shared_from_this<WorkerStream> {
 public:
  WorkerStream(asio::io_context& io, int local_rank, UniqueFd read_end, OutputDestination& to, bool whole_lines)
      : local_rank_(local_rank), from_(io, read_end.release()), to_(to), whole_lines_(whole_lines), hold_(io) {}

  const LastLines& last_lines() const { return last_lines_; }
  int native_handle() { return from_.native_handle(); }

  asio::awaitable<void> pump() {
    const auto self = shared_from_this();
    while (!finishing_) {
      co_await to_.wait_while_congested();
      boost::system::error_code error;
      co_await from_.async_wait(asio::posix::stream_descriptor::wait_read,
                                asio::redirect_error(asio::use_awaitable, error));
      if (error || read_once() == 0) break;
      // As without the launcher between them: a worker that writes on to a reader that has gone gets EPIPE.
      if (to_.reader_gone() && !finishing_) {
        from_.close();
        break;
      }
    }
  }

  /// What the worker left in the pipe, its unfinished line included.
  asio::awaitable<void> finish() {
    const auto self = shared_from_this();
    finishing_ = true;
    from_.cancel();
    for (std::size_t total = 0; total < kMostLeftInAPipe;) {
      co_await to_.wait_while_congested();
      const std::size_t n = read_once();
      if (n == 0) break;
      total += n;
    }
    pass_unfinished_line();
    hold_.cancel();
    from_.close();
  }

 private:
  /// Bytes read; 0 at the end of the stream, and when there is nothing to read now.
  std::size_t read_once() {
    static std::array<char, kReadSize> buffer;  // one thread, and not kept between two calls
    ssize_t n;
    do {
      n = ::read(from_.native_handle(), buffer.data(), buffer.size());
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN && !finishing_) return 1;  // woken for nothing
    if (n <= 0) return 0;                                   // a terminal says EIO once the worker has closed it
    take({buffer.data(), static_cast<std::size_t>(n)});
    return static_cast<std::size_t>(n);
  }

  void take(std::string_view bytes) {
    last_lines_.feed(bytes);
    if (!whole_lines_) {
      to_.write(local_rank_, bytes);
      return;
    }
    const std::size_t end = bytes.find_last_of("\n\r");
    if (end != std::string_view::npos) {
      unfinished_ += bytes.substr(0, end + 1);
      pass_unfinished_line();
      bytes.remove_prefix(end + 1);
    }
    unfinished_ += bytes;
    if (unfinished_.size() > kLongestHeldLine) pass_unfinished_line();
    if (!unfinished_.empty()) start_to_hold();
  }

  void start_to_hold() {
    hold_.expires_after(kHoldUnfinishedLine);
    hold_.async_wait([self = shared_from_this()](boost::system::error_code error) {
      if (!error) self->pass_unfinished_line();
    });
  }

  void pass_unfinished_line() {
    to_.write(local_rank_, unfinished_);
    unfinished_.clear();
  }

  int local_rank_;
  asio::posix::stream_descriptor from_;
  OutputDestination& to_;
  bool whole_lines_;
  bool finishing_ = false;
  std::string unfinished_;
  asio::steady_timer hold_;
  LastLines last_lines_;
};

}  // namespace

class OutputMux::Impl {
 public:
  Impl(asio::io_context& io, int stdout_fd, int stderr_fd)
      : io_(io), fds_{stdout_fd, stderr_fd}, out_(io, stdout_fd), window_changes_(io) {
    if (!same_file(stdout_fd, stderr_fd)) separate_err_.emplace(io, stderr_fd);
    if (::isatty(stdout_fd) || ::isatty(stderr_fd)) {
      window_changes_.add(SIGWINCH);
      follow_window_size();
    }
  }

  std::vector<WorkerEnds> open_streams(int workers) {
    streams_.clear();
    std::vector<WorkerEnds> ends(static_cast<std::size_t>(workers));
    for (int local_rank = 0; local_rank < workers; ++local_rank) {
      WorkerEnds& end = ends[static_cast<std::size_t>(local_rank)];
      end.out = open_stream(local_rank, fds_[0], out_, workers > 1);
      end.err = open_stream(local_rank, fds_[1], err(), workers > 1);
    }
    for (const auto& stream : streams_) asio::co_spawn(io_, stream->pump(), asio::detached);
    return ends;
  }

  asio::awaitable<void> finish() {
    for (const auto& stream : streams_) co_await stream->finish();
    co_await out_.flush();
    co_await err().flush();
  }

  void give_up() {
    out_.give_up();
    err().give_up();
  }

  std::vector<std::string> last_stderr_lines(int local_rank) const {
    const std::size_t index = static_cast<std::size_t>(local_rank) * 2 + 1;
    return index < streams_.size() ? streams_[index]->last_lines().lines() : std::vector<std::string>{};
  }

 private:
  OutputDestination& err() { return separate_err_ ? *separate_err_ : out_; }

  UniqueFd open_stream(int local_rank, int like_fd, OutputDestination& to, bool whole_lines) {
    WorkerPipe pipe = make_worker_pipe(like_fd);
    streams_.push_back(std::make_shared<WorkerStream>(io_, local_rank, std::move(pipe.read_end), to, whole_lines));
    return std::move(pipe.write_end);
  }

  void follow_window_size() {
    window_changes_.async_wait([this](boost::system::error_code error, int) {
      if (error) return;
      for (std::size_t i = 0; i < streams_.size(); ++i) copy_terminal_size(fds_[i % 2], streams_[i]->native_handle());
      follow_window_size();
    });
  }

  asio::io_context& io_;
  std::array<int, 2> fds_;
  OutputDestination out_;
  std::optional<OutputDestination> separate_err_;       ///< empty when stdout and stderr are one file
  std::vector<std::shared_ptr<WorkerStream>> streams_;  ///< stdout and stderr of rank 0, of rank 1, …
  asio::signal_set window_changes_;
};

OutputMux::OutputMux(asio::io_context& io, int stdout_fd, int stderr_fd)
    : impl_(std::make_unique<Impl>(io, stdout_fd, stderr_fd)) {}
OutputMux::~OutputMux() = default;

std::vector<OutputMux::WorkerEnds> OutputMux::open_streams(int workers) {
  return impl_->open_streams(workers);
}
asio::awaitable<void> OutputMux::finish() {
  return impl_->finish();
}
void OutputMux::give_up() {
  impl_->give_up();
}
std::vector<std::string> OutputMux::last_stderr_lines(int local_rank) const {
  return impl_->last_stderr_lines(local_rank);
}

}  // namespace mdl::launcher
