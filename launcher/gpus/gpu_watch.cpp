#include "launcher/gpus/gpu_watch.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read_until.hpp>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "common/join.hpp"
#include "common/str_cat.hpp"
#include "common/unique_fd.hpp"
#include "launcher/machine/gpu_count.hpp"
#include "launcher/process/close_files.hpp"
#include "launcher/process/worker_process.hpp"

namespace mdl::launcher::gpus {
namespace {

using nvidia::GpuHealth;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kMostXids = 4;
constexpr std::chrono::seconds kNoAnswer{30};
constexpr std::size_t kLongestLine = 1024 * 1024;
constexpr std::chrono::milliseconds kEndLook{20};
constexpr int kMostEndLooks = 50;

struct Watched {
  std::unique_ptr<GpuHealth> gpu{};
  std::vector<std::int64_t> xids{};  ///< the last ones
};

std::string look_at(Watched& watched, const std::string& uuid) {
  if (uuid.empty()) { return {}; }
  if (!watched.gpu) { watched.gpu = std::make_unique<GpuHealth>(uuid); }
  const auto xids = watched.gpu->xid_errors().value_or(std::vector<std::int64_t>());
  watched.xids.insert(watched.xids.end(), xids.begin(), xids.end());
  if (watched.xids.size() > kMostXids) {
    watched.xids.erase(watched.xids.begin(), watched.xids.end() - static_cast<std::ptrdiff_t>(kMostXids));
  }
  return describe_gpu(watched.gpu->condition(), watched.xids);
}

/// In the copy: writes what is known of each GPU, as a line of JSON, until nobody reads it.
int look_in_copy(int pipe, pid_t parent, const GpuWatch::Find& find) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) { return 1; }
  // What the others have open must end with them.
  constexpr int kPipe = STDERR_FILENO + 1;
  if (pipe != kPipe && ::dup2(pipe, kPipe) < 0) { return 1; }
  process::close_files(kPipe + 1);
  const std::vector<std::string> uuids = find();
  if (std::ranges::all_of(uuids, &std::string::empty)) { return 0; }
  std::vector<Watched> watched(uuids.size());
  while (true) {
    nlohmann::json facts = nlohmann::json::array();
    for (std::size_t i = 0; i < watched.size(); ++i) { facts.push_back(look_at(watched[i], uuids[i])); }
    const std::string line = facts.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    if (::write(kPipe, line.data(), line.size()) != static_cast<ssize_t>(line.size())) { return 1; }
    std::this_thread::sleep_for(GpuWatch::kDistance);
  }
}

}  // namespace

std::vector<std::string> gpus_of_workers(int workers, const std::optional<std::string>& visible) {
  std::vector<std::string> found(static_cast<std::size_t>(std::max(workers, 0)));
  const machine::GpuInventory inventory = machine::find_gpus();
  const auto positions = machine::visible_positions(visible, inventory);
  if (!positions || !inventory.uuids) { return found; }
  for (std::size_t i = 0; i < std::min(found.size(), positions->size()); ++i) {
    const std::size_t position = (*positions)[i];
    if (position < inventory.uuids->size()) { found[i] = (*inventory.uuids)[position]; }
  }
  return found;
}

std::string describe_gpu(const GpuHealth::Condition& condition, const std::vector<std::int64_t>& xids) {
  std::vector<std::string> parts;
  if (condition.celsius) { parts.push_back(str_cat(*condition.celsius, " °C")); }
  if (condition.clock) {
    parts.push_back(condition.highest_clock ? str_cat(*condition.clock, " of ", *condition.highest_clock, " MHz")
                                            : str_cat(*condition.clock, " MHz"));
  }
  if (!condition.slowed_by.empty()) { parts.push_back("slowed down by " + joined(condition.slowed_by)); }
  for (const std::int64_t xid : xids) { parts.push_back(str_cat("Xid ", xid)); }
  return joined(parts);
}

/// Shared with the coroutine that listens, which may end a little after its owner.
struct GpuWatch::Session {
  Session(asio::io_context& io, pid_t copy, UniqueFd end) : pid(copy), pipe(io, end.release()) {}
  /// One that hangs in the driver ends when that lets it. Nobody waits for it: after this process it is init's.
  ~Session() {
    if (!has_ended()) { ::kill(pid, SIGKILL); }
    has_ended();
  }

  /// Whether the copy is no more; then its number may be another's.
  bool has_ended() {
    ended = ended || ::waitpid(pid, nullptr, WNOHANG) != 0;
    return ended;
  }

  /// A line of the copy's.
  void take(const std::string& line) {
    const nlohmann::json texts = nlohmann::json::parse(line, nullptr, false);
    if (!texts.is_array()) { return; }
    facts.clear();
    for (const auto& text : texts) { facts.push_back(text.is_string() ? text.get<std::string>() : ""); }
    heard = Clock::now();
  }

  const pid_t pid;
  bool ended = false;
  asio::posix::stream_descriptor pipe;
  std::vector<std::string> facts{};  ///< by local rank
  Clock::time_point heard{};
};

GpuWatch::GpuWatch(asio::io_context& io, const Find& find) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) { return; }
  UniqueFd read_end(ends[0]), write_end(ends[1]);
  const process::StartedProcess copy =
      process::start_copy([&, parent = ::getpid()] { return look_in_copy(write_end.get(), parent, find); });
  if (copy.error != 0) { return; }
  session_ = std::make_shared<Session>(io, copy.pid, std::move(read_end));
  asio::co_spawn(io, listen(session_), asio::detached);
}

GpuWatch::~GpuWatch() {
  if (session_) { session_->pipe.close(); }
}

std::string GpuWatch::facts(int local_rank) const {
  const auto place = static_cast<std::size_t>(local_rank);
  if (!session_ || place >= session_->facts.size() || session_->facts[place].empty()) { return {}; }
  return Clock::now() - session_->heard > kNoAnswer ? "the driver does not answer" : session_->facts[place];
}

asio::awaitable<void> GpuWatch::listen(std::shared_ptr<Session> session) {
  std::string text;
  boost::system::error_code error;
  while (true) {
    const std::size_t size = co_await asio::async_read_until(session->pipe, asio::dynamic_buffer(text, kLongestLine),
                                                             '\n', asio::redirect_error(asio::use_awaitable, error));
    if (error) { break; }
    session->take(text.substr(0, size));
    text.erase(0, size);
  }
  // It has closed its end, and so is about to end itself.
  asio::steady_timer pause(co_await asio::this_coro::executor);
  for (int look = 0; error != asio::error::operation_aborted && look < kMostEndLooks && !session->has_ended(); ++look) {
    pause.expires_after(kEndLook);
    co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, error));
  }
}

}  // namespace mdl::launcher::gpus
