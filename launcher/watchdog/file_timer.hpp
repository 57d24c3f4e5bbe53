#pragma once

#include <sys/types.h>

#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/loop/asio.hpp"
#include "launcher/watchdog/timer_book.hpp"
#include "launcher/watchdog/timer_request.hpp"

namespace mdl::launcher::watchdog {

/// torchrun's watchdog: a FIFO into which workers write when they begin and end something that must not take longer
/// than they say (torch.distributed.elastic.timer with a FileTimerClient); the process of a timer that expires is
/// killed. Unlike torch's FileTimerServer of 2.15 it kills nobody but descendants of this node's guardian, and not the
/// launcher: the end of a worker is then a failure like any other.
///
/// The FIFO is there as long as this object, through all restarts, and belongs to this user alone (mode 0600).
class FileTimer {
 public:
  /// Says which process all that may be killed descend from; nullopt while there are no workers.
  using Root = std::function<std::optional<pid_t>()>;
  /// Is told whom a signal was sent to, and the names of the timers.
  using OnExpired = std::function<void(pid_t pid, const std::string& names)>;

  /// Makes the FIFO at `path` and serves it from the loop of `io`. What is there already is replaced when it is a FIFO
  /// that nobody reads, or an empty file (of mktemp). Throws Error when it is something else, or cannot be made.
  FileTimer(asio::io_context& io, std::filesystem::path path, Root root, OnExpired on_expired);
  /// Removes the FIFO.
  ~FileTimer();
  FileTimer(const FileTimer&) = delete;
  FileTimer& operator=(const FileTimer&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  void follow();
  void take(std::string_view line);
  void wait_for_next();
  void expire();
  void complain_once(bool& said, const std::string& problem);

  std::filesystem::path path_;
  Root root_;
  OnExpired on_expired_;
  asio::posix::stream_descriptor fifo_;
  asio::steady_timer alarm_;
  std::array<char, 4096> buffer_{};
  RequestLines lines_;
  TimerBook book_;
  bool said_wrong_ = false;
  bool said_stranger_ = false;
  bool said_too_many_ = false;
};

/// The watchdog, when the user wants it (TORCHELASTIC_ENABLE_FILE_TIMER=1), else nothing: at TORCHELASTIC_TIMER_FILE,
/// else in `folder`; where that is empty, or cannot hold a FIFO, under a fresh name in the folder for temporary files.
/// Throws Error when none of them can be.
std::unique_ptr<FileTimer> serve_timers(asio::io_context& io, const std::vector<std::string>& environment,
                                        const std::filesystem::path& folder, FileTimer::Root root,
                                        FileTimer::OnExpired on_expired);

}  // namespace mdl::launcher::watchdog
