#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "common/loop/asio.hpp"
#include "launcher/dashboard/stderr_lines.hpp"
#include "rendezvous/client/tcp_store_client.hpp"

namespace mdl::launcher::dashboard {

/// Where a page asks the nodes of its job for lines, and they answer: keys below "mdl-launch/JOB/stderr/" in the job's
/// store, one for each node, which it removes, and one for each page. Everything may throw StoreConnectionError.
class StderrBoard {
 public:
  explicit StderrBoard(const std::string& run_id) : prefix_("mdl-launch/" + run_id + "/stderr/") {}

  /// There is a page: nodes may wait for its questions.
  asio::awaitable<void> say_open(rendezvous::client::TcpStoreClient& store) const;
  asio::awaitable<bool> is_open(rendezvous::client::TcpStoreClient& store) const;

  /// Asks that node, and waits for the answer; nullopt when none has come by then.
  asio::awaitable<std::optional<LinesAnswer>> ask(rendezvous::client::TcpStoreClient& store, std::int64_t node,
                                                  LinesRequest request, std::chrono::milliseconds limit) const;

  /// The next question to that node, and removes it; nullopt when none has come by then, or what has come is none.
  asio::awaitable<std::optional<LinesRequest>> next_request(rendezvous::client::TcpStoreClient& store,
                                                            std::int64_t node, std::chrono::milliseconds limit) const;
  asio::awaitable<void> answer(rendezvous::client::TcpStoreClient& store, LinesRequest request,
                               LinesAnswer answer) const;

 private:
  std::string answer_key(const LinesRequest& request) const { return prefix_ + "answer/" + request.asker; }
  std::string ask_key(std::int64_t node) const { return prefix_ + "ask/" + std::to_string(node); }

  std::string prefix_;
};

}  // namespace mdl::launcher::dashboard
