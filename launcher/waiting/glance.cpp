#include "launcher/waiting/glance.hpp"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>
#include <variant>
#include <vector>

#include "common/error.hpp"
#include "common/host.hpp"
#include "common/log.hpp"
#include "common/str_cat.hpp"
#include "launcher/waiting/wait_text.hpp"
#include "rendezvous/c10d/round_keys.hpp"
#include "rendezvous/c10d/shared_state.hpp"
#include "rendezvous/client/tcp_store_client.hpp"

namespace mdl::launcher::waiting {
namespace {

using job::WaitPhase;
using rendezvous::client::TcpStoreClient;
using Step = WaitPhase::Step;

constexpr std::chrono::milliseconds kLookTimeout{2000};
constexpr int kMostAsked = 64;  // of the nodes whose signs are looked for one by one

/// What is the same in all kinds of jobs: the connection, and the steps that need none.
class StoreGlance : public Glance {
 public:
  StoreGlance(std::string run_id, Endpoint endpoint, rendezvous::access::StoreCredential credential)
      : run_id_(std::move(run_id)), endpoint_(std::move(endpoint)), credential_(std::move(credential)) {}

  asio::awaitable<void> look(WaitPhase phase) override {
    try {
      if (!store_) { co_await connect(phase.store); }
      if (store_) { co_await read(std::move(phase)); }
    } catch (const Error& error) {
      log::info("looking for the other nodes: ", error.problem());
      store_.reset();
    }
  }

  std::string text(const WaitPhase& phase, std::size_t columns) const override {
    const WaitContext context = context_of(phase, columns);
    if (phase.step == Step::store) { return wait_for_store(context, phase.progress.get()); }
    return text_of_nodes(phase, context);
  }

  std::string advice(const WaitPhase& phase) const override {
    const WaitContext context = context_of(phase, std::string::npos);
    return str_cat(wait_for_store(context, phase.progress.get()), ". ",
                   store_advice(context, phase.progress.get(), host_name(), local_addresses()));
  }

 protected:
  /// Throws Error.
  virtual asio::awaitable<void> read(WaitPhase phase) = 0;
  virtual std::string text_of_nodes(const WaitPhase& phase, const WaitContext& context) const = 0;

  const std::string& run_id() const { return run_id_; }
  TcpStoreClient& store() { return *store_; }

 private:
  asio::awaitable<void> connect(Endpoint address) {
    auto attempt = co_await TcpStoreClient::try_connect(std::move(address), credential_, kLookTimeout);
    if (!attempt) { co_return; }
    store_ = std::move(*attempt);
    store_->set_reply_timeout(kLookTimeout);
  }

  WaitContext context_of(const WaitPhase& phase, std::size_t columns) const {
    WaitContext context{run_id_, endpoint_};
    if (context.store.port == 0) { context.store.port = phase.store.port; }
    context.columns = columns;
    if (phase.deadline) {
      context.left = std::chrono::ceil<std::chrono::milliseconds>(*phase.deadline - WaitPhase::Clock::now());
    }
    return context;
  }

  const std::string run_id_;
  const Endpoint endpoint_;
  const rendezvous::access::StoreCredential credential_;
  std::optional<TcpStoreClient> store_;
};

class C10dGlance : public StoreGlance {
 public:
  explicit C10dGlance(const rendezvous::c10d::C10dJob& job)
      : StoreGlance(job.run_id, job.endpoint, rendezvous::c10d::credential_of(job)),
        wanted_{job.settings.min_nodes, job.settings.max_nodes} {}

  std::size_t nodes() const override { return state_ ? state_->participants.size() : 0; }

 protected:
  asio::awaitable<void> read(WaitPhase phase) override {
    const std::optional<std::string> stored = co_await store().get_now(rendezvous::c10d::state_key(run_id()));
    if (stored) { state_ = rendezvous::c10d::decode_rendezvous_state(*stored); }
    if (phase.step == Step::ranks && state_) { co_await read_silent_nodes(); }
  }

  std::string text_of_nodes(const WaitPhase& phase, const WaitContext& context) const override {
    if (!state_ || !phase.self) { return wait_for_others(context); }
    if (phase.step == Step::ranks) { return wait_for_ranks(context, static_cast<std::int64_t>(nodes()), silent_); }
    const auto now = std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
    return wait_for_nodes(context, *state_, *phase.self, wanted_, now);
  }

 private:
  /// Those that have not said how many workers they have.
  asio::awaitable<void> read_silent_nodes() {
    const std::string prefix = rendezvous::c10d::round_prefix(run_id(), state_->round) + "torchelastic/role_info/";
    std::vector<std::string> silent;
    int asked = 0;
    for (const auto& [node, rank] : state_->participants) {
      if (++asked > kMostAsked) { break; }
      std::vector<std::string> keys;
      keys.push_back(prefix + std::to_string(rank));
      const bool has_spoken = co_await store().check(std::move(keys));
      if (!has_spoken) { silent.push_back(node.addr); }
    }
    silent_ = std::move(silent);
  }

  const WantedNodes wanted_;
  std::optional<rendezvous::c10d::RendezvousState> state_;
  std::vector<std::string> silent_;
};

class StaticGlance : public StoreGlance {
 public:
  explicit StaticGlance(const command_line::StaticJob& job)
      : StoreGlance(job.run_id, job.master,
                    job.guard ? rendezvous::access::StoreCredential(job.guard->secret())
                              : rendezvous::access::StoreCredential()),
        job_(job) {}

  std::size_t nodes() const override { return static_cast<std::size_t>(job_.nodes) - missing_.size(); }

 protected:
  asio::awaitable<void> read(WaitPhase phase) override {
    if (role_keys_ != phase.role_keys) {
      for (int node = 0; node < job_.nodes; ++node) { missing_.insert(node); }
      role_keys_ = phase.role_keys;
    }
    const std::set<int> asked = missing_;
    int count = 0;
    for (const int node : asked) {
      if (++count > kMostAsked) { break; }
      std::vector<std::string> keys;
      keys.push_back(role_keys_ + std::to_string(node));
      const bool there = co_await store().check(std::move(keys));
      if (there) { missing_.erase(node); }
    }
  }

  std::string text_of_nodes(const WaitPhase&, const WaitContext& context) const override {
    if (role_keys_.empty()) { return wait_for_others(context); }
    return wait_for_static_nodes(context, job_.nodes, missing_);
  }

 private:
  const command_line::StaticJob& job_;
  std::string role_keys_;  ///< of the round that was looked at; empty: none
  std::set<int> missing_;  ///< there, as far as has been asked
};

}  // namespace

std::unique_ptr<Glance> make_glance(const command_line::StorePlan& plan) {
  if (const auto* job = std::get_if<command_line::C10dJob>(&plan)) { return std::make_unique<C10dGlance>(*job); }
  if (const auto* job = std::get_if<command_line::StaticJob>(&plan)) { return std::make_unique<StaticGlance>(*job); }
  return nullptr;
}

}  // namespace mdl::launcher::waiting
