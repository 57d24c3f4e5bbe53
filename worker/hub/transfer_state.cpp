#include "worker/hub/transfer_state.hpp"

#include <algorithm>
#include <utility>

namespace mdl::worker::hub {

TransferState::TransferState(std::vector<std::int64_t> sizes, int ranges, std::int64_t least_range)
    : ranges_(ranges), least_range_(least_range) {
  for (const std::int64_t size : sizes) { files_.push_back({.size = size}); }
}

std::optional<TransferState::Task> TransferState::find_task() {
  using Stage = File::Stage;
  for (std::size_t i = 0; i < files_.size(); ++i) {
    File& file = files_[i];
    const Task task{.kind = Task::Kind::open, .file = i, .generation = file.generation};
    if (file.stage == Stage::closed) {
      file.stage = Stage::opening;
      return task;
    }
    if (file.stage != Stage::open) { continue; }
    if (!file.waiting.empty()) {
      Task fetch = task;
      fetch.kind = Task::Kind::fetch;
      fetch.range = file.waiting.front();
      fetch.whole_file = file.whole_only || fetch.range == http::ByteRange{0, file.size};
      file.waiting.pop_front();
      ++file.running;
      return fetch;
    }
    if (file.running == 0) {
      file.stage = Stage::checking;
      Task check = task;
      check.kind = Task::Kind::check;
      return check;
    }
  }
  return std::nullopt;
}

bool TransferState::all_finished() const {
  return std::ranges::all_of(files_, [](const File& file) { return file.stage == File::Stage::finished; });
}

std::optional<TransferState::Task> TransferState::next() {
  std::unique_lock lock(mutex_);
  while (!failure_ && !all_finished()) {
    if (auto task = find_task()) { return task; }
    changed_.wait(lock);
  }
  return std::nullopt;
}

/// What is missing, cut into ranges.
void TransferState::plan(File& file) const {
  file.waiting.clear();
  const std::int64_t least = std::max(least_range_, file.size / std::max(ranges_, 1));
  for (const http::ByteRange gap : file.there.missing(file.size)) {
    if (file.whole_only) {
      file.waiting.assign({{0, file.size}});
      return;
    }
    for (const http::ByteRange piece : http::in_pieces(gap, ranges_, least)) { file.waiting.push_back(piece); }
  }
}

bool TransferState::open_now(std::size_t index) {
  const std::lock_guard lock(mutex_);
  return std::exchange(files_[index].stage, File::Stage::opening) == File::Stage::closed;
}

void TransferState::opened(std::size_t index, const http::ByteRanges& found) {
  const std::lock_guard lock(mutex_);
  File& file = files_[index];
  file.there = found;
  file.stage = File::Stage::open;
  bytes_ += found.total();
  plan(file);
  changed_.notify_all();
}

void TransferState::finished(std::size_t index) {
  const std::lock_guard lock(mutex_);
  files_[index].stage = File::Stage::finished;
  changed_.notify_all();
}

bool TransferState::fetch_anew(std::size_t index) {
  const std::lock_guard lock(mutex_);
  File& file = files_[index];
  if (std::exchange(file.was_wrong, true)) { return false; }
  bytes_ -= file.there.total();
  file.there = {};
  ++file.generation;
  file.stage = File::Stage::open;
  plan(file);
  changed_.notify_all();
  return true;
}

void TransferState::add(const Task& task, http::ByteRange range) {
  const std::lock_guard lock(mutex_);
  bytes_ += files_[task.file].there.add(range);
}

void TransferState::fetched(const Task& task) {
  const std::lock_guard lock(mutex_);
  --files_[task.file].running;
  changed_.notify_all();
}

bool TransferState::take_whole(Task& task) {
  std::unique_lock lock(mutex_);
  File& file = files_[task.file];
  if (file.generation != task.generation) { return false; }
  file.whole_only = true;
  file.waiting.clear();
  task.generation = ++file.generation;
  task.whole_file = true;
  task.range = {0, file.size};
  changed_.notify_all();
  changed_.wait(lock, [&] { return failure_ || file.running == 1; });
  return !failure_;
}

bool TransferState::goes_on(const Task& task) {
  const std::lock_guard lock(mutex_);
  return is_wanted(task);
}

void TransferState::fail(std::exception_ptr why) {
  const std::lock_guard lock(mutex_);
  if (!failure_) { failure_ = std::move(why); }
  changed_.notify_all();
}

void TransferState::sleep(const Task& task, std::chrono::milliseconds pause) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, pause, [&] { return !is_wanted(task); });
}

bool TransferState::wait(std::chrono::milliseconds pause) {
  std::unique_lock lock(mutex_);
  const bool over = changed_.wait_for(lock, pause, [&] { return failure_ || all_finished(); });
  if (failure_) { std::rethrow_exception(failure_); }
  return over;
}

std::int64_t TransferState::bytes_there() {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace mdl::worker::hub
