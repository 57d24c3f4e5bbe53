#include "launcher/progress/progress_sockets.hpp"

#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/local/datagram_protocol.hpp>
#include <cerrno>
#include <string_view>
#include <utility>

#include "common/error.hpp"
#include "common/log.hpp"
#include "launcher/progress/rank_progress.hpp"

namespace mdl::launcher::progress {
namespace {

using namespace std::chrono_literals;

constexpr auto kTurn = 25ms;
constexpr auto kBusyTurn = 5ms;          // when a worker has sent kMany since the last one
constexpr std::size_t kMany = 5;         // half of the kernel's queue, if nobody has made it longer
constexpr std::size_t kMostAtOnce = 16;  // by one system call
constexpr int kMostCalls = 4;            // before others have their turn
constexpr int kQuietTurns = 3;           // after which a worker's socket is left to the event loop again

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

/// One worker's socket.
struct ProgressSockets::Ear {
  Ear(asio::io_context& io, UniqueFd fd) : socket(io, asio::local::datagram_protocol(), fd.release()) {}

  /// Takes what is there; how many messages that were.
  std::size_t hear(DatagramRoom& room) {
    const auto now = RankProgress::Time::clock::now();
    std::size_t all = 0;
    std::size_t some = kMostAtOnce;
    for (int call = 0; call < kMostCalls && some == kMostAtOnce; ++call) {
      some = room.receive(socket.native_handle());
      for (std::size_t i = 0; i < some; ++i) { progress.take(room.datagram(i), now); }
      all += some;
    }
    return all;
  }

  RankProgress progress{};
  asio::local::datagram_protocol::socket socket;
  int quiet_turns = 0;
  bool in_turn = false;  ///< looked at each turn, and not waited for
};

/// Shared with the handlers that wait for the workers. Who has said something is looked at in turns, so that many
/// messages of many workers cost one wake-up; who has not is waited for.
struct ProgressSockets::Hall : std::enable_shared_from_this<Hall> {
  Hall(asio::io_context& io, OnMessage call) : on_message(std::move(call)), turn(io) {}

  void follow(std::size_t local_rank) {
    ears[local_rank]->in_turn = false;
    ears[local_rank]->socket.async_wait(asio::local::datagram_protocol::socket::wait_read,
                                        [self = shared_from_this(), local_rank](boost::system::error_code error) {
                                          if (!error && !self->closed) { self->wake(local_rank); }
                                        });
  }

  void wake(std::size_t local_rank) {
    ears[local_rank]->in_turn = true;
    ears[local_rank]->quiet_turns = 0;
    hear(local_rank);
    if (!turning) { begin_turn(); }
  }

  void hear(std::size_t local_rank) {
    Ear& ear = *ears[local_rank];
    const std::size_t messages = ear.hear(room);
    busy = busy || messages >= kMany;
    if (messages > 0) {
      ear.quiet_turns = 0;
      on_message(static_cast<int>(local_rank), ear.progress.wrong());
    } else if (++ear.quiet_turns >= kQuietTurns) {
      follow(local_rank);
    }
  }

  void begin_turn() {
    turning = true;
    turn.expires_after(busy ? kBusyTurn : kTurn);
    busy = false;
    turn.async_wait([self = shared_from_this()](boost::system::error_code error) {
      self->turning = false;
      if (!error && !self->closed) { self->take_turn(); }
    });
  }

  void take_turn() {
    bool any = false;
    for (std::size_t local_rank = 0; local_rank < ears.size(); ++local_rank) {
      if (!ears[local_rank]->in_turn) { continue; }
      hear(local_rank);
      any = any || ears[local_rank]->in_turn;
    }
    if (any && !turning) { begin_turn(); }
  }

  const OnMessage on_message;
  asio::steady_timer turn;
  std::vector<std::unique_ptr<Ear>> ears{};
  DatagramRoom room{};
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
    ear->socket.close(ignored);
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
