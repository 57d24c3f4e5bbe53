#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "common/loop/asio.hpp"
#include "launcher/hang/evidence.hpp"
#include "launcher/watch/job_watch.hpp"
#include "rendezvous/client/tcp_store_client.hpp"

namespace mdl::launcher::hang {

/// What the watching node wants of the others.
struct EvidenceRequest {
  std::int64_t number = 0;  ///< counted in the store: no two are the same
  std::int64_t round = 0;   ///< of the workers in question

  bool operator==(const EvidenceRequest&) const = default;
};

/// JSON, for the store.
std::string to_text(const EvidenceRequest& request);
/// nullopt for what is none.
std::optional<EvidenceRequest> evidence_request_from_text(std::string_view text);

/// Where nodes of a job that hangs ask each other what their workers do: keys below "mdl-launch/JOB/hang/" in the store
/// of the rendezvous, ours or torch's, which torch's agents never look at. Answers are removed once they have been
/// read, so that the store does not grow. Everything may throw StoreConnectionError.
class EvidenceBoard {
 public:
  explicit EvidenceBoard(const std::string& run_id)
      : prefix_("mdl-launch/" + run_id + "/hang/"), sign_key_(watch::JobWatch::sign_key(run_id)) {}

  /// Whether a node watches that round (watch::JobWatch), and may ask.
  asio::awaitable<bool> is_watched(rendezvous::client::TcpStoreClient& store, std::int64_t round) const;

  /// Asks all nodes, and returns the request.
  asio::awaitable<EvidenceRequest> ask(rendezvous::client::TcpStoreClient& store, std::int64_t round) const;
  /// The last request, whatever round it is of.
  asio::awaitable<std::optional<EvidenceRequest>> request(rendezvous::client::TcpStoreClient& store) const;
  asio::awaitable<void> answer(rendezvous::client::TcpStoreClient& store, NodeEvidence evidence) const;

  /// The answers of the nodes 0 to `nodes` - 1 but `self`, by their rank: once all are there, or after `limit` those
  /// that are. Removes them.
  using Answers = std::map<std::int64_t, NodeEvidence>;
  asio::awaitable<Answers> collect(rendezvous::client::TcpStoreClient& store, EvidenceRequest request, int nodes,
                                   std::int64_t self, std::chrono::milliseconds limit) const;

 private:
  std::string answer_key(std::int64_t request, std::int64_t node) const;

  std::string prefix_;
  std::string sign_key_;
};

}  // namespace mdl::launcher::hang
