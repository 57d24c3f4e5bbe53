#include "launcher/hang/evidence_board.hpp"

#include <chrono>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "common/str_cat.hpp"

namespace mdl::launcher::hang {
namespace {
using nlohmann::json;

constexpr int kRequestVersion = 1;
constexpr std::size_t kLargestRequest = 1024;
// They were there a moment ago.
constexpr rendezvous::client::TcpStoreClient::Milliseconds kAnswerTimeout{1000};

std::optional<std::int64_t> request_number(const json& value) {
  const bool is_one = value.is_number_unsigned() && value.get<std::uint64_t>() < (std::uint64_t{1} << 62);
  return is_one ? std::optional(value.get<std::int64_t>()) : std::nullopt;
}

}  // namespace

std::string to_text(const EvidenceRequest& request) {
  json array = json::array();
  array.push_back(kRequestVersion);
  array.push_back(request.number);
  array.push_back(request.round);
  return array.dump();
}

std::optional<EvidenceRequest> evidence_request_from_text(std::string_view text) {
  if (text.size() > kLargestRequest) { return std::nullopt; }
  const json array = json::parse(text, nullptr, false);
  if (!array.is_array() || array.size() < 3 || array[0] != kRequestVersion) { return std::nullopt; }
  const auto number = request_number(array[1]);
  const auto round = request_number(array[2]);
  if (!number || !round) { return std::nullopt; }
  EvidenceRequest request;
  request.number = *number;
  request.round = *round;
  return request;
}

std::string EvidenceBoard::answer_key(std::int64_t request, std::int64_t node) const {
  return str_cat(prefix_, "answer/", request, "/", node);
}

asio::awaitable<bool> EvidenceBoard::is_watched(rendezvous::client::TcpStoreClient& store, std::int64_t round) const {
  const std::optional<std::string> text = co_await store.get_now(sign_key_);
  co_return text == std::to_string(round);
}

asio::awaitable<EvidenceRequest> EvidenceBoard::ask(rendezvous::client::TcpStoreClient& store,
                                                    std::int64_t round) const {
  EvidenceRequest request;
  request.round = round;
  const std::optional<std::int64_t> number = co_await store.add_to_number(prefix_ + "requests", 1);
  // Where others have put what is no number, or none that counts requests, the time is one that nobody has asked by.
  request.number = number && *number > 0
                       ? *number
                       : std::chrono::system_clock::now().time_since_epoch() / std::chrono::milliseconds(1);
  co_await store.set(prefix_ + "request", to_text(request));
  co_return request;
}

asio::awaitable<std::optional<EvidenceRequest>> EvidenceBoard::request(
    rendezvous::client::TcpStoreClient& store) const {
  const std::optional<std::string> text = co_await store.get_now(prefix_ + "request");
  co_return text ? evidence_request_from_text(*text) : std::nullopt;
}

asio::awaitable<void> EvidenceBoard::answer(rendezvous::client::TcpStoreClient& store, NodeEvidence evidence) const {
  std::string key = answer_key(evidence.request, evidence.group_rank);
  std::string value = to_text(evidence);
  co_await store.set(std::move(key), std::move(value));
}

asio::awaitable<EvidenceBoard::Answers> EvidenceBoard::collect(rendezvous::client::TcpStoreClient& store,
                                                               EvidenceRequest request, int nodes, std::int64_t self,
                                                               std::chrono::milliseconds limit) const {
  std::vector<std::string> keys;
  for (std::int64_t node = 0; node < nodes; ++node) {
    if (node != self) { keys.push_back(answer_key(request.number, node)); }
  }
  Answers answers;
  const bool all = co_await store.wait(keys, limit);
  for (const std::string& key : keys) {
    std::vector<std::string> one;
    one.push_back(key);
    if (!all) {
      const bool is_there = co_await store.check(one);
      if (!is_there) { continue; }
    }
    const auto values = co_await store.multi_get(std::move(one), kAnswerTimeout);
    auto evidence = values ? node_evidence_from_text(values->front()) : std::nullopt;
    co_await store.delete_key(key);
    if (!evidence || key != answer_key(request.number, evidence->group_rank)) { continue; }
    const std::int64_t node = evidence->group_rank;
    answers.insert_or_assign(node, std::move(*evidence));
  }
  co_return answers;
}

}  // namespace mdl::launcher::hang
