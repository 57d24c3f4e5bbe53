#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/loop/asio.hpp"
#include "common/unique_fd.hpp"
#include "launcher/output/last_lines.hpp"
#include "launcher/output/left_stream.hpp"
#include "launcher/output/output_destination.hpp"

namespace mdl::launcher::output {

/// A file that lines with one of some words are copied to, shared by the streams of several workers.
struct LineFilter {
  std::vector<std::string> words;
  UniqueFd file;
};

/// Where the bytes of a worker's stream go. Any of them may be left out.
struct StreamSinks {
  OutputDestination* console = nullptr;
  bool whole_lines = false;   ///< hold an unfinished line back for a while, as other workers write there, too
  std::string prefix;         ///< put before each line on the console and in `filter`; lines end in '\n' then
  bool line_by_line = false;  ///< a tee'd stream: complete lines only, each with the prefix
  UniqueFd file;              ///< every byte
  std::shared_ptr<LineFilter> filter;
};

/// One output stream of one worker on its way: read from the worker's pipe or terminal, its last lines remembered,
/// passed on. Memory is bounded: nothing is read while the console does not keep up.
class WorkerStream : public std::enable_shared_from_this<WorkerStream> {
 public:
  WorkerStream(asio::io_context& io, int local_rank, UniqueFd read_end, StreamSinks sinks);

  /// Passes on what comes until the stream ends or finish() is called.
  asio::awaitable<void> pump();
  /// Reads what is there now, although nobody waits for it: has_ended() is right afterwards.
  asio::awaitable<void> drain();
  /// Passes on what the worker has left, its unfinished line included, and closes the stream.
  asio::awaitable<void> finish();
  /// Stops reading a stream that somebody still holds open, for another process to go on exactly there. Where it goes
  /// on the console is the caller's to add.
  LeftStream hand_over();
  /// Goes on as the one did that was handed over.
  void take_up(const std::string& unfinished, bool after_return);

  /// Whether all who could write there have closed it, or it was closed here.
  bool has_ended() const { return ended_ || !from_.is_open(); }
  /// When the last bytes came. Now, while the console does not keep up and nothing is read for that.
  std::chrono::steady_clock::time_point last_heard() const;

  const LastLines& last_lines() const { return last_lines_; }
  int native_handle() { return from_.native_handle(); }

 private:
  /// What a look at the stream has found.
  enum class Found { bytes, nothing, end };
  Found read_once();
  void take(std::string_view bytes);
  void take_lines(std::string_view bytes);
  void pass_line(bool complete);
  void start_to_hold();
  void pass_unfinished_line();
  asio::awaitable<void> wait_for_console();

  int local_rank_;
  asio::posix::stream_descriptor from_;
  StreamSinks to_;
  bool finishing_ = false;
  bool ended_ = false;
  std::chrono::steady_clock::time_point last_heard_ = std::chrono::steady_clock::now();
  std::string unfinished_;
  bool after_return_ = false;  ///< line by line: a '\n' that follows a '\r' ends no second line
  asio::steady_timer hold_;
  LastLines last_lines_;
};

}  // namespace mdl::launcher::output
