#include "launcher/hang/report_file.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "common/error.hpp"
#include "common/log.hpp"
#include "launcher/process/close_files.hpp"
#include "launcher/process/worker_process.hpp"

namespace mdl::launcher::hang {
namespace {

constexpr std::chrono::milliseconds kEndLook{20};  // for the end of the copy

/// In the copy: 0 when it is there.
int write_in_copy(const HangReport& report, const std::filesystem::path& folder) {
  process::close_files(STDERR_FILENO + 1);  // sockets that others wait for to end, among them
  try {
    write_report(report, folder);
    return 0;
  } catch (const std::exception& error) { log::warning("the report of the hang: ", error.what()); }
  return 1;
}

}  // namespace

asio::awaitable<std::filesystem::path> write_report_file(HangReport report, std::filesystem::path folder,
                                                         std::chrono::milliseconds limit) {
  const process::StartedProcess copy = process::start_copy([&] { return write_in_copy(report, folder); });
  if (copy.error != 0) {
    log::warning("the report of the hang: cannot start a process that writes it: ", std::strerror(copy.error));
    co_return std::filesystem::path();
  }
  const auto deadline = std::chrono::steady_clock::now() + limit;
  asio::steady_timer pause(co_await asio::this_coro::executor);
  int status = 0;
  pid_t ended = 0;
  while ((ended = ::waitpid(copy.pid, &status, WNOHANG)) == 0 && std::chrono::steady_clock::now() < deadline) {
    pause.expires_after(kEndLook);
    co_await pause.async_wait(asio::use_awaitable);
  }
  if (ended == 0) {
    log::warning("the report of the hang is not written yet: the file system of ", folder.string(), " does not answer");
  }
  const bool is_there = ended == copy.pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  co_return is_there ? report_path(report, folder) : std::filesystem::path();
}

}  // namespace mdl::launcher::hang
