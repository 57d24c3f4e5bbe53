#include "worker/hub/transfer.hpp"

#include <algorithm>
#include <deque>
#include <optional>
#include <set>
#include <system_error>
#include <thread>

#include "common/error.hpp"
#include "common/log.hpp"
#include "common/str_cat.hpp"
#include "worker/cli/progress_bar.hpp"
#include "worker/hub/cache_files.hpp"
#include "worker/hub/node/disk_space.hpp"
#include "worker/hub/range_fetch.hpp"

namespace mdl::worker::hub {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using Task = TransferState::Task;

/// A transfer that runs: its threads take tasks from `state`.
class Transfer {
 public:
  Transfer(const TransferSource& source, std::vector<ListedFile> files);

  void run(const std::string& what);

 private:
  void open(std::size_t index);
  void check(std::size_t index);
  void require_space() const;
  void work();
  void show_progress(const std::string& what);

  const TransferSource& source_;
  std::vector<ListedFile> files_;
  std::deque<std::optional<PartFile>> parts_;  ///< of each file, while it is open; each is one thread's at a time
  TransferState state_;
};

std::vector<std::int64_t> sizes_of(const std::vector<ListedFile>& files) {
  std::vector<std::int64_t> sizes;
  for (const ListedFile& file : files) { sizes.push_back(file.size); }
  return sizes;
}

Transfer::Transfer(const TransferSource& source, std::vector<ListedFile> files)
    : source_(source),
      files_(std::move(files)),
      parts_(files_.size()),
      state_(sizes_of(files_), source.limits.ranges, source.limits.least_range) {}

void Transfer::open(std::size_t index) {
  const ListedFile& file = files_[index];
  const auto place = source_.hub.cache().part_place(source_.model, source_.listing, file);
  make_folders(place.folder);  // who publishes removes ModelScope's where it is empty
  parts_[index].emplace(PartFile::open(place, file.size));
  state_.opened(index, parts_[index]->found());
}

/// A file has all its bytes: are they the right ones?
void Transfer::check(std::size_t index) {
  const ListedFile& file = files_[index];
  PartFile& part = *parts_[index];
  const std::string hash = digest_of_file(part.path(), file.digest.kind);
  if (hash != file.digest.hex || fs::file_size(part.path()) != static_cast<std::uintmax_t>(file.size)) {
    part.begin_anew();
    if (state_.fetch_anew(index)) {
      log::warning(file.path, " of ", source_.model.text(), " has come with another hash than the one listed; it is ",
                   "downloaded once more");
      return;
    }
    part.remove();
    throw Error(
        str_cat(file.path, " of ", source_.model.text(), " has come twice with another hash (", hash,
                ") than the one listed (", file.digest.hex, ")"),
        "Something on the way changes what is sent, or that server has another file: try again later, or another "
        "server.");
  }
  part.sync();
  source_.hub.cache().keep(source_.model, source_.listing, file, part.path());
  part.remove_record();
  parts_[index].reset();
  state_.finished(index);
}

void Transfer::work() {
  try {
    http::Client client;
    while (const auto task = state_.next()) {
      switch (task->kind) {
        case Task::Kind::open:
          open(task->file);
          break;
        case Task::Kind::fetch:
          RangeFetch(source_, files_[task->file], *parts_[task->file], state_, *task).run(client);
          break;
        case Task::Kind::check:
          check(task->file);
          break;
      }
    }
  } catch (...) { state_.fail(std::current_exception()); }
}

void Transfer::require_space() const {
  std::int64_t needed = 0;
  for (const ListedFile& file : files_) { needed += file.size; }
  for (const auto& part : parts_) {
    if (part) { needed -= node::allocated_bytes(part->path()); }
  }
  // The model's folder may be on another disk than the cache's.
  const auto place = source_.hub.cache().part_place(source_.model, source_.listing, files_.front());
  node::require_free_space(place.folder, needed, source_.model.text(), kMakeRoom);
}

void Transfer::show_progress(const std::string& what) {
  std::int64_t total = 0;
  for (const ListedFile& file : files_) { total += file.size; }
  std::int64_t shown = state_.bytes_there();
  cli::BarScale scale{.what = what, .total = total, .found = shown, .unit = "bytes"};
  const bool quiet = what.empty() || !source_.hub.shows_progress();
  std::optional<cli::ProgressBar> bar;
  if (!quiet) { bar.emplace(scale); }
  const auto begin = std::chrono::steady_clock::now();
  auto told = begin;
  while (!state_.wait(200ms)) {
    const std::int64_t there = state_.bytes_there();
    if (bar) { bar->add(there - shown); }
    shown = there;
    const auto now = std::chrono::steady_clock::now();
    if (bar && !bar->is_drawn() && now - told >= source_.limits.told_every) {
      log::news(cli::describe_progress(scale, there, now - begin));
      told = now;
    }
  }
  if (bar) { bar->add(state_.bytes_there() - shown); }
}

void Transfer::run(const std::string& what) {
  for (std::size_t i = 0; i < files_.size(); ++i) {
    if (files_[i].size >= source_.limits.least_range && state_.open_now(i)) { open(i); }
  }
  require_space();
  std::vector<std::jthread> threads;
  const auto count = std::min<std::size_t>(static_cast<std::size_t>(source_.limits.connections), 4 * files_.size());
  for (std::size_t i = 0; i < count; ++i) {
    try {
      threads.emplace_back([this] { work(); });
    } catch (const std::system_error& error) {  // this place has no more threads: those that run do all of it
      if (threads.empty()) { throw Error(str_cat("cannot start a thread to download with: ", error.what())); }
      break;
    }
  }
  show_progress(what);
}

}  // namespace

void transfer(const Hub& hub, const ModelName& model, const Listing& listing, const std::vector<ListedFile>& files,
              const std::string& what, const std::set<std::string>& anew, const TransferLimits& limits) {
  const std::vector<ListedFile> missing = files_to_download(hub, model, listing, files, anew);
  if (missing.empty()) { return; }
  make_folders(hub.cache().part_place(model, listing, missing.front()).folder);
  const TransferSource source{hub, model, listing, limits};
  Transfer(source, missing).run(what);
}

std::vector<ListedFile> files_to_download(const Hub& hub, const ModelName& model, const Listing& listing,
                                          const std::vector<ListedFile>& files, const std::set<std::string>& anew) {
  std::vector<ListedFile> missing;
  std::set<fs::path> places;  // files of one content may be one file in the cache
  for (const ListedFile& file : files) {
    if (!anew.contains(file.path) && hub.cache().find_file(model, listing, file)) { continue; }
    const auto place = hub.cache().part_place(model, listing, file);
    if (places.insert(place.folder / place.stem).second) { missing.push_back(file); }
  }
  return missing;
}

}  // namespace mdl::worker::hub
