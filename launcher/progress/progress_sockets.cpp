#include "launcher/progress/progress_sockets.hpp"

#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <fstream>
#include <string_view>
#include <utility>

#include "common/error.hpp"
#include "common/log.hpp"
#include "launcher/progress/rank_progress.hpp"

namespace mdl::launcher::progress {
namespace {

using namespace std::chrono_literals;

constexpr auto kTurn = 25ms;
constexpr auto kLongTurn = 50ms;         // where the kernel's queue is kLongQueue or more
constexpr auto kBusyTurn = 5ms;          // when a worker has filled half of its queue since the last one
constexpr std::size_t kLongQueue = 40;   // datagrams; systemd makes it 512, the kernel by itself 10
constexpr std::size_t kMostAtOnce = 16;  // by one system call
constexpr std::size_t kMostCalls = 4;    // before others have their turn
constexpr auto kOften = 100ms;           // messages that come no further apart are taken in turns
constexpr auto kQuiet = 250ms;           // after which they are waited for again

/// How many datagrams the kernel queues at a socket that is made now.
std::size_t kernel_queue() {
  constexpr std::size_t kAsItIs = 10;
  std::size_t length = 0;
  std::ifstream file("/proc/sys/net/unix/max_dgram_qlen");
  return file >> length && length > 0 ? length : kAsItIs;
}

/// Room for several datagrams, each with a byte more than a message may have.
class DatagramRoom {
 public:
  DatagramRoom() {
    for (std::size_t i = 0; i < kMostAtOnce; ++i) {
      parts_[i] = {bytes_[i].data(), bytes_[i].size()};
      headers_[i].msg_hdr.msg_iov = &parts_[i];
      headers_[i].msg_hdr.msg_iovlen = 1;
    }
  }
  DatagramRoom(const DatagramRoom&) = delete;
  DatagramRoom& operator=(const DatagramRoom&) = delete;

  /// How many have been taken from a socket; what is too long is cut. Descriptors that a sender has put in are closed
  /// by the kernel.
  std::size_t receive(int fd) {
    const int count = ::recvmmsg(fd, headers_.data(), kMostAtOnce, MSG_DONTWAIT, nullptr);
    return count > 0 ? static_cast<std::size_t>(count) : 0;
  }
  std::string_view datagram(std::size_t i) const { return {bytes_[i].data(), headers_[i].msg_len}; }

 private:
  std::array<std::array<char, kLargestProgressMessage + 1>, kMostAtOnce> bytes_{};
  std::array<iovec, kMostAtOnce> parts_{};
  std::array<mmsghdr, kMostAtOnce> headers_{};
};

}  // namespace

/// One worker's socket: waited for by the event loop, or looked at in turns. The loop knows it only while it waits;
/// else each message would wake the process.
struct ProgressSockets::Ear {
  Ear(asio::io_context& io, UniqueFd fd) : waiting(io), socket(std::move(fd)) {}

  bool in_turn() const { return static_cast<bool>(socket); }
  void take_from_loop() { socket = UniqueFd(waiting.release()); }
  void give_to_loop() {
    if (in_turn()) { waiting.assign(socket.release()); }
  }

  /// Takes what is there; how many messages that were.
  std::size_t hear(DatagramRoom& room, RankProgress::Time now) {
    const int fd = in_turn() ? socket.get() : waiting.native_handle();
    std::size_t all = 0;
    std::size_t some = kMostAtOnce;
    for (std::size_t call = 0; call < kMostCalls && some == kMostAtOnce; ++call) {
      some = room.receive(fd);
      for (std::size_t i = 0; i < some; ++i) { progress.take(room.datagram(i), now); }
      all += some;
    }
    return all;
  }

  RankProgress progress{};
  asio::posix::stream_descriptor waiting;
  UniqueFd socket;                  ///< while it is looked at in turns
  RankProgress::Time heard_last{};  ///< when there was something
};

/// Shared with the handlers that wait for the workers. Who says something often is looked at in turns, so that many
/// messages of many workers cost one wake-up; who does not is waited for.
struct ProgressSockets::Hall : std::enable_shared_from_this<Hall> {
  Hall(asio::io_context& io, OnMessage call) : on_message(std::move(call)), turn(io) {}

  void follow(std::size_t local_rank) {
    ears[local_rank]->give_to_loop();
    ears[local_rank]->waiting.async_wait(asio::posix::stream_descriptor::wait_read,
                                         [self = shared_from_this(), local_rank](boost::system::error_code error) {
                                           if (!error && !self->closed) { self->wake(local_rank); }
                                         });
  }

  void wake(std::size_t local_rank) {
    Ear& ear = *ears[local_rank];
    const auto now = RankProgress::Time::clock::now();
    const bool often = now - ear.heard_last <= kOften;
    if (!hear(local_rank, now) || !often) {
      follow(local_rank);
      return;
    }
    ear.take_from_loop();
    if (!turning) { begin_turn(); }
  }

  /// Whether there was something.
  bool hear(std::size_t local_rank, RankProgress::Time now) {
    Ear& ear = *ears[local_rank];
    const std::size_t messages = ear.hear(room, now);
    busy = busy || messages >= many;
    if (messages == 0) { return false; }
    ear.heard_last = now;
    on_message(static_cast<int>(local_rank), ear.progress.wrong());
    return true;
  }

  void begin_turn() {
    turning = true;
    turn.expires_after(busy ? kBusyTurn : distance);
    busy = false;
    turn.async_wait([self = shared_from_this()](boost::system::error_code error) {
      self->turning = false;
      if (!error && !self->closed) { self->take_turn(); }
    });
  }

  void take_turn() {
    const auto now = RankProgress::Time::clock::now();
    bool any = false;
    for (std::size_t local_rank = 0; local_rank < ears.size(); ++local_rank) {
      Ear& ear = *ears[local_rank];
      if (!ear.in_turn()) { continue; }
      if (hear(local_rank, now) || now - ear.heard_last < kQuiet) {
        any = true;
      } else {
        follow(local_rank);
      }
    }
    if (any && !turning) { begin_turn(); }
  }

  const OnMessage on_message;
  asio::steady_timer turn;
  std::vector<std::unique_ptr<Ear>> ears{};
  DatagramRoom room{};
  const std::size_t queue = kernel_queue();
  const std::size_t many = std::min(std::max<std::size_t>(1, queue / 2), kMostAtOnce* kMostCalls);
  const std::chrono::milliseconds distance = queue >= kLongQueue ? kLongTurn : kTurn;
  bool turning = false;
  bool busy = false;  ///< a worker sends much
  bool closed = false;
};

ProgressSockets::ProgressSockets(asio::io_context& io, const ProgressFolder& folder, int workers, OnMessage on_message)
    : hall_(std::make_shared<Hall>(io, std::move(on_message))) {
  for (int local_rank = 0; local_rank < workers; ++local_rank) {
    const std::filesystem::path path = folder.socket_path(local_rank);
    if (path.empty()) { return; }
    UniqueFd socket = bind_datagram_socket(path);
    if (!socket) {
      log::warning(describe_errno("no progress of the workers: cannot make the socket", path, errno));
      for (const auto& made : paths_) { ::unlink(made.c_str()); }
      paths_.clear();
      hall_->ears.clear();
      return;
    }
    ::unlink(server_path_beside(path).c_str());  // of a worker before
    paths_.push_back(path);
    hall_->ears.push_back(std::make_unique<Ear>(io, std::move(socket)));
  }
  for (std::size_t i = 0; i < hall_->ears.size(); ++i) { hall_->follow(i); }
}

ProgressSockets::~ProgressSockets() {
  hall_->closed = true;
  hall_->turn.cancel();
  for (const auto& ear : hall_->ears) {
    boost::system::error_code ignored;
    ear->waiting.close(ignored);
  }
  for (const auto& path : paths_) {
    ::unlink(path.c_str());
    ::unlink(server_path_beside(path).c_str());
  }
}

std::vector<RankSummary> ProgressSockets::summaries(std::chrono::steady_clock::time_point now) const {
  std::vector<RankSummary> ranks;
  for (const auto& ear : hall_->ears) { ranks.push_back(ear->progress.summary(now)); }
  return ranks;
}

}  // namespace mdl::launcher::progress
