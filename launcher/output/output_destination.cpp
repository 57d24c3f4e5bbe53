#include "launcher/output/output_destination.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "common/str_cat.hpp"

namespace mdl::launcher::output {

OutputDestination::OutputDestination(asio::io_context& io, int fd) : io_(io), fd_(fd), changed_(io) {
  struct stat info{};
  if (::fstat(fd, &info) != 0) {
    broken_ = true;  // started with a closed stdout or stderr
    return;
  }
  if (S_ISFIFO(info.st_mode) || ::isatty(fd)) {
    const int reopened = ::open(str_cat("/proc/self/fd/", fd).c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (reopened >= 0) { own_.emplace(io, reopened); }
  }
}

void OutputDestination::write(int source, std::string_view bytes) {
  if (broken_ || bytes.empty()) { return; }
  if (open_line_ && *open_line_ != source) { queue_ += '\n'; }
  queue_ += bytes;
  if (bytes.back() == '\n' || bytes.back() == '\r') {
    open_line_.reset();
  } else {
    open_line_ = source;
  }
  if (writing_) { return; }
  write_now();
  if (queue_.empty() || broken_) { return; }
  writing_ = true;
  asio::co_spawn(io_, write_queue(), asio::detached);
}

void OutputDestination::write_now() {
  std::size_t done = 0;
  while (done < queue_.size()) {
    const ssize_t n = ::write(own_ ? own_->native_handle() : fd_, queue_.data() + done, queue_.size() - done);
    if (n >= 0) {
      done += static_cast<std::size_t>(n);
    } else if (errno == EAGAIN && own_) {
      break;
    } else if (errno != EINTR && errno != EAGAIN) {
      broken_ = true;
      reader_gone_ = errno == EPIPE || errno == EIO;
      done = queue_.size();
    }
  }
  queue_.erase(0, done);
}

asio::awaitable<void> OutputDestination::write_queue() {
  while (!queue_.empty() && !broken_) {
    boost::system::error_code error;
    co_await own_->async_wait(asio::posix::stream_descriptor::wait_write,
                              asio::redirect_error(asio::use_awaitable, error));
    if (error) { break; }
    write_now();
    changed_.notify();
  }
  writing_ = false;
  changed_.notify();
}

asio::awaitable<void> OutputDestination::wait_while_congested() {
  while (congested() && !broken_) { co_await changed_.wait(); }
}

asio::awaitable<void> OutputDestination::flush() {
  while (writing_) { co_await changed_.wait(); }
}

void OutputDestination::give_up() {
  broken_ = true;
  queue_.clear();
  if (own_) { own_->cancel(); }
  changed_.notify();
}

}  // namespace mdl::launcher::output
