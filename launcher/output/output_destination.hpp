#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "common/loop/asio.hpp"
#include "common/loop/notifier.hpp"

namespace mdl::launcher::output {

/// One of the launcher's own output streams, to which several workers' lines are written. Writing never blocks the
/// event loop on a pipe or a terminal that nobody reads: bytes are queued, and above a limit congested() asks the
/// sources to wait, so that a slow reader slows the workers down exactly as it would without the launcher between them.
class OutputDestination {
 public:
  /// Queued bytes above which congested() is true: some reads of 64 KiB, for throughput, and little memory.
  static constexpr std::size_t kQueueLimit = 256 * 1024;

  /// Writes to `fd`, which stays the caller's. A pipe or terminal is opened anew, so that non-blocking mode does not
  /// leak to the other holders of `fd`; files are written directly, in order with the other holders.
  OutputDestination(asio::io_context& io, int fd);

  /// Appends `bytes` of `source`. When another source's last bytes did not end a line, a newline is put between.
  void write(int source, std::string_view bytes);

  bool congested() const { return queue_.size() > kQueueLimit; }
  asio::awaitable<void> wait_while_congested();
  /// Waits until all is written, the reader has gone, or give_up().
  asio::awaitable<void> flush();
  /// Drops what is queued and all that follows.
  void give_up();
  /// Whether the reader of the pipe or terminal has gone: what is written from now on is lost.
  bool reader_gone() const { return reader_gone_; }

 private:
  void write_now();
  asio::awaitable<void> write_queue();

  asio::io_context& io_;
  int fd_;
  std::optional<asio::posix::stream_descriptor> own_;  ///< the non-blocking reopening of fd_
  std::string queue_;
  std::optional<int> open_line_;  ///< the source whose unfinished line is the last thing written
  bool writing_ = false;
  bool broken_ = false;  ///< nothing can be written any more
  bool reader_gone_ = false;
  loop::Notifier changed_;
};

}  // namespace mdl::launcher::output
