#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <vector>

#include "worker/http/byte_ranges.hpp"

namespace mdl::worker::hub {

/// What is to be done next in a transfer, and how far each of its files is. Threads take tasks from it and tell what
/// came of them; it knows neither the network nor the disk.
class TransferState {
 public:
  /// `sizes`: of the files, in the order in which they are to come. A file is fetched in at most `ranges` ranges, none
  /// below `least_range` bytes.
  TransferState(std::vector<std::int64_t> sizes, int ranges, std::int64_t least_range);

  struct Task {
    enum class Kind { open, fetch, check } kind = Kind::open;
    std::size_t file = 0;
    http::ByteRange range{};  ///< to fetch
    bool whole_file = false;  ///< fetch it without a range
    int generation = 0;       ///< see goes_on()
  };

  /// A task for the calling thread; waits while others may still make one. Nothing when all is done, or failed.
  std::optional<Task> next();

  /// Takes the task to open a file before the threads start; false where it was taken.
  bool open_now(std::size_t file);
  /// The answer to open: these bytes are there already.
  void opened(std::size_t file, const http::ByteRanges& found);
  /// The answer to check: the file is whole.
  void finished(std::size_t file);
  /// The answer to check: its hash is wrong. Fetches it from nothing; false when that was done before.
  bool fetch_anew(std::size_t file);

  /// While a range is fetched: these bytes of it are there.
  void add(const Task& task, http::ByteRange range);
  /// The answer to fetch, also to one that was void: its thread is done with the file. The range is there, or void.
  void fetched(const Task& task);
  /// The server answers a range with the whole file: `task` becomes that, and what others fetch of the file is void.
  /// Returns when they have told that they are done (they hear of it within a second), so that none of them writes over
  /// what comes. False when it is void itself, or the transfer ends.
  bool take_whole(Task& task);
  /// Whether what `task` fetches is still wanted. By the time it is asked the answer may be another one: what is void
  /// may still write a piece. It harms nobody, as a file is neither begun anew nor checked, given its name, or written
  /// by take_whole() before all that was fetched of it has ended; and one who takes a part file over waits for the end
  /// of all threads of its owner (has_ended()).
  bool goes_on(const Task& task);

  /// Ends the transfer with an exception; the first one counts.
  void fail(std::exception_ptr why);
  /// Waits for `pause`, or until what `task` fetches is no longer wanted.
  void sleep(const Task& task, std::chrono::milliseconds pause);
  /// Waits until all is done (true) or for `pause` (false). Throws what fail() was given.
  bool wait(std::chrono::milliseconds pause);

  /// Bytes of all files that are there.
  std::int64_t bytes_there();

 private:
  struct File {
    std::int64_t size = 0;
    enum class Stage { closed, opening, open, checking, finished } stage = Stage::closed;
    http::ByteRanges there{};
    std::deque<http::ByteRange> waiting{};
    int running = 0;  ///< fetches whose threads still use the file, void ones too
    int generation = 0;
    bool whole_only = false;  ///< the server knows no ranges
    bool was_wrong = false;
  };
  void plan(File& file) const;
  std::optional<Task> find_task();
  bool all_finished() const;
  bool is_wanted(const Task& task) const { return !failure_ && files_[task.file].generation == task.generation; }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<File> files_;
  int ranges_;
  std::int64_t least_range_;
  std::int64_t bytes_ = 0;
  std::exception_ptr failure_;
};

}  // namespace mdl::worker::hub
