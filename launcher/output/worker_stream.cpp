#include "launcher/output/worker_stream.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>

#include "common/error.hpp"
#include "common/log.hpp"

namespace mdl::launcher::output {
namespace {

constexpr std::size_t kReadSize = 64 * 1024;  // a pipe's capacity
constexpr std::size_t kLongestHeldLine = 64 * 1024;
constexpr std::size_t kMostLeftInAPipe = 1 << 20;  // the default limit of a pipe's capacity (pipe-max-size)
constexpr std::chrono::milliseconds kHoldUnfinishedLine{100};

/// A log file that cannot be written any more (a full disk) is given up with one message; the job goes on.
void write_to_file(UniqueFd& file, std::string_view bytes) {
  for (std::size_t done = 0; done < bytes.size() && file;) {
    const ssize_t n = ::write(file.get(), bytes.data() + done, bytes.size() - done);
    if (n >= 0) {
      done += static_cast<std::size_t>(n);
    } else if (errno != EINTR) {
      log::error(describe_errno("cannot write", "a worker's log file", errno), "; it ends here");
      file.reset();
    }
  }
}

}  // namespace

WorkerStream::WorkerStream(asio::io_context& io, int local_rank, UniqueFd read_end, StreamSinks sinks)
    : local_rank_(local_rank), from_(io, read_end.release()), to_(std::move(sinks)), hold_(io) {}

asio::awaitable<void> WorkerStream::wait_for_console() {
  if (to_.console) { co_await to_.console->wait_while_congested(); }
}

asio::awaitable<void> WorkerStream::pump() {
  const auto self = shared_from_this();
  while (!finishing_) {
    co_await wait_for_console();
    boost::system::error_code error;
    co_await from_.async_wait(asio::posix::stream_descriptor::wait_read,
                              asio::redirect_error(asio::use_awaitable, error));
    if (error || read_once() == Found::end) { break; }
    // As without the launcher between them: a worker that writes on to a reader that has gone gets EPIPE.
    if (to_.console && to_.console->reader_gone() && !to_.file && !finishing_) {
      from_.close();
      break;
    }
  }
}

asio::awaitable<void> WorkerStream::drain() {
  const auto self = shared_from_this();
  // Somebody who writes on and on is not waited for.
  for (std::size_t reads = 0; reads < kMostLeftInAPipe / kReadSize && !has_ended(); ++reads) {
    co_await wait_for_console();
    if (!from_.is_open() || read_once() != Found::bytes) { break; }
  }
}

asio::awaitable<void> WorkerStream::finish() {
  const auto self = shared_from_this();
  finishing_ = true;
  if (!from_.is_open()) {
    co_return;  // its reader has gone, or it was finished before
  }
  from_.cancel();
  co_await drain();
  if (to_.line_by_line && !unfinished_.empty()) { pass_line(false); }
  pass_unfinished_line();
  hold_.cancel();
  from_.close();
}

LeftStream WorkerStream::hand_over() {
  finishing_ = true;
  hold_.cancel();
  LeftStream left;
  left.local_rank = local_rank_;
  left.whole_lines = to_.whole_lines;
  left.line_by_line = to_.line_by_line;
  left.prefix = to_.prefix;
  left.after_return = after_return_;
  left.unfinished = std::move(unfinished_);
  left.file = std::move(to_.file);
  if (to_.filter) {
    left.filter_words = to_.filter->words;
    left.filter_file.reset(::fcntl(to_.filter->file.get(), F_DUPFD_CLOEXEC, 0));
  }
  left.from.reset(from_.release());
  unfinished_.clear();
  return left;
}

void WorkerStream::take_up(const std::string& unfinished, bool after_return) {
  unfinished_ = unfinished;
  after_return_ = after_return;
  if (to_.whole_lines && !to_.line_by_line && !unfinished_.empty()) { start_to_hold(); }
}

std::chrono::steady_clock::time_point WorkerStream::last_heard() const {
  return to_.console && to_.console->congested() ? std::chrono::steady_clock::now() : last_heard_;
}

WorkerStream::Found WorkerStream::read_once() {
  static std::array<char, kReadSize> buffer;  // one thread, and not kept between two calls
  ssize_t n;
  do { n = ::read(from_.native_handle(), buffer.data(), buffer.size()); } while (n < 0 && errno == EINTR);
  if (n < 0 && errno == EAGAIN) { return Found::nothing; }
  if (n <= 0) {  // a terminal says EIO once the worker has closed it
    ended_ = true;
    return Found::end;
  }
  last_heard_ = std::chrono::steady_clock::now();
  take({buffer.data(), static_cast<std::size_t>(n)});
  return Found::bytes;
}

void WorkerStream::take(std::string_view bytes) {
  last_lines_.feed(bytes);
  write_to_file(to_.file, bytes);
  if (to_.line_by_line) {
    take_lines(bytes);
    return;
  }
  if (!to_.console) { return; }
  if (!to_.whole_lines) {
    to_.console->write(local_rank_, bytes);
    return;
  }
  const std::size_t end = bytes.find_last_of("\n\r");
  if (end != std::string_view::npos) {
    unfinished_ += bytes.substr(0, end + 1);
    pass_unfinished_line();
    bytes.remove_prefix(end + 1);
  }
  unfinished_ += bytes;
  if (unfinished_.size() > kLongestHeldLine) { pass_unfinished_line(); }
  if (!unfinished_.empty()) { start_to_hold(); }
}

/// Every "\n", "\r" and "\r\n" ends a line, as in a text file that Python reads.
void WorkerStream::take_lines(std::string_view bytes) {
  for (const char c : bytes) {
    const bool second_half = c == '\n' && after_return_;
    after_return_ = c == '\r';
    if (second_half) { continue; }
    if (c == '\n' || c == '\r') {
      pass_line(true);
    } else {
      unfinished_ += c;
      if (unfinished_.size() > kLongestHeldLine) { pass_line(true); }
    }
  }
}

void WorkerStream::pass_line(bool complete) {
  const auto has = [&](const std::string& word) { return unfinished_.find(word) != std::string::npos; };
  const bool matches = to_.filter && std::any_of(to_.filter->words.begin(), to_.filter->words.end(), has);
  std::string line = to_.prefix;
  line += unfinished_;
  if (complete) { line += '\n'; }
  unfinished_.clear();
  if (matches) { write_to_file(to_.filter->file, line); }
  if (to_.console) { to_.console->write(local_rank_, line); }
}

void WorkerStream::start_to_hold() {
  hold_.expires_after(kHoldUnfinishedLine);
  hold_.async_wait([self = shared_from_this()](boost::system::error_code error) {
    if (!error) { self->pass_unfinished_line(); }
  });
}

void WorkerStream::pass_unfinished_line() {
  if (to_.console && !to_.line_by_line) { to_.console->write(local_rank_, unfinished_); }
  unfinished_.clear();
}

}  // namespace mdl::launcher::output
