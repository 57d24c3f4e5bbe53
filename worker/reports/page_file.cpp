#include "worker/reports/page_file.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <ctime>

#include "common/atomic_file.hpp"
#include "common/exception_text.hpp"
#include "common/log.hpp"
#include "worker/reports/page/page_pace.hpp"

namespace mdl::worker::reports {
namespace {

using Clock = std::chrono::steady_clock;

/// Signals are for the thread that trains, and the processor first of all, too.
void step_back() {
  constexpr int kLowest = 19;
  sigset_t all;
  sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
  static_cast<void>(::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kLowest));  // of this thread alone
}

}  // namespace

PageFile::PageFile(std::filesystem::path file, std::function<page::RunHistory()> history)
    : file_(std::move(file)), history_(std::move(history)), thread_([this] { write_as_it_goes(); }) {}

PageFile::~PageFile() {
  if (thread_.joinable()) { finish(page::PageState::Run::stopped); }
}

void PageFile::logged() {
  const std::lock_guard lock(mutex_);
  if (++logged_ == 1) { changed_.notify_one(); }
}

bool PageFile::finish(page::PageState::Run run) {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    changed_.notify_one();
  }
  if (thread_.joinable()) { thread_.join(); }
  return logged_ > 0 && write(run);
}

void PageFile::write_as_it_goes() {
  step_back();
  page::PagePace pace(Clock::now());
  std::unique_lock lock(mutex_);
  while (!ended_) {
    const auto next = pace.next_write(logged_);
    if (!next) {
      // A line a step would wake this thread as often, so lines are looked for when the next write may be.
      logged_ == 0 ? changed_.wait(lock) : static_cast<void>(changed_.wait_for(lock, page::PagePace::kEvery));
    } else if (Clock::now() < *next) {
      changed_.wait_until(lock, *next);
    } else {
      const std::int64_t logged = logged_;
      lock.unlock();
      const auto begin = Clock::now();
      write(page::PageState::Run::running);
      lock.lock();
      pace.wrote(begin, Clock::now(), logged);
    }
  }
}

bool PageFile::write(page::PageState::Run run) noexcept {
  try {
    write_text_atomically(file_, page::page_html({history_()}, {.run = run, .time = std::time(nullptr)}));
    return true;
  } catch (const std::exception& error) {
    if (!warned_) {
      log::warning("the report cannot be written, which the training does not need: ", as_error(error).problem());
    }
    warned_ = true;
    return false;
  }
}

}  // namespace mdl::worker::reports
