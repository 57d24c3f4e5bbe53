#pragma once

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <thread>

#include "worker/reports/page/page.hpp"

namespace mdl::worker::reports {

/// A page on the disk that is written anew as a run goes on, by a thread of its own with the lowest priority, so that
/// no step waits for it; how often, PagePace says. Each time it is there whole. Not being able to write it is a
/// warning, once.
class PageFile {
 public:
  /// `history` is asked for what the page is to show, in the thread; it must be safe to call at any time.
  PageFile(std::filesystem::path file, std::function<page::RunHistory()> history);
  /// Writes what is new, as of a run that was stopped, unless finish() was called.
  ~PageFile();
  PageFile(const PageFile&) = delete;
  PageFile& operator=(const PageFile&) = delete;

  /// Something was logged.
  void logged();

  /// Ends the thread and writes the page a last time. Whether it could be written.
  bool finish(page::PageState::Run run);

 private:
  void write_as_it_goes();
  bool write(page::PageState::Run run) noexcept;

  std::filesystem::path file_;
  std::function<page::RunHistory()> history_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::int64_t logged_ = 0;  ///< lines
  bool ended_ = false;
  bool warned_ = false;
  std::thread thread_;
};

}  // namespace mdl::worker::reports
