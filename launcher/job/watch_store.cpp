#include "launcher/job/watch_store.hpp"

#include <utility>
#include <vector>

#include "common/error.hpp"
#include "common/host.hpp"
#include "common/log.hpp"
#include "launcher/job/spare_nodes.hpp"
#include "rendezvous/access/store_guard.hpp"
#include "rendezvous/access/store_handshake.hpp"

namespace mdl::launcher::job {
namespace {

std::string made_up_secret() {
  constexpr const char* kDigits = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : rendezvous::access::handshake::fresh_nonce()) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

rendezvous::server::TcpStoreServerOptions options_for(const rendezvous::access::StoreCredential& credential) {
  rendezvous::server::TcpStoreServerOptions options;
  options.guard = std::make_shared<rendezvous::access::StoreGuard>(
      credential.secret, std::vector<rendezvous::access::AddressRange>(), [] { return std::vector<std::string>(); });
  options.members_only = true;
  return options;
}

StorePlace place_with(std::string secret) {
  StorePlace place;
  place.credential = rendezvous::access::StoreCredential(std::make_shared<rendezvous::access::StoreSecret>(secret));
  place.made_up_secret = std::move(secret);
  return place;
}

}  // namespace

std::unique_ptr<WatchStore> WatchStore::open(asio::io_context& io, const std::string& run_id) {
  try {
    return std::unique_ptr<WatchStore>(new WatchStore(io, run_id, made_up_secret()));
  } catch (const Error& error) {
    log::info("nobody can watch this job: ", error.what());
    return nullptr;
  }
}

WatchStore::WatchStore(asio::io_context& io, const std::string& run_id, std::string secret)
    : run_id_(run_id),
      keys_(run_id),
      board_(run_id),
      place_(place_with(std::move(secret))),
      server_(io, rendezvous::server::ListenAddress::loopback(), 0, options_for(place_.credential)) {
  const std::string here = rendezvous::server::ListenAddress::loopback().from_here(local_addresses());
  place_.address = Endpoint(here, server_.port());
  server_.start();
}

void WatchStore::round_begins(std::int64_t round, const rendezvous::c10d::RoleInfo& workers) {
  if (round > 0) { server_.set(keys_.round(), std::to_string(round)); }
  if (round > 1) {  // by the keys of the first one the job is found
    server_.erase(keys_.role_info(round - 1, 0));
    server_.erase(keys_.assigned_ranks(round - 1, 0));
  }
  server_.set(keys_.role_info(round, 0), rendezvous::c10d::to_json(workers));
  const auto ranks = rendezvous::c10d::assign_ranks({workers});
  server_.set(keys_.assigned_ranks(round, 0), rendezvous::c10d::to_json(ranks.front()));
}

void WatchStore::succeeded() {
  server_.set(board_.end_key(), FailureBoard::kSucceeded);
}

void WatchStore::failed(const report::RootCause& cause) {
  server_.set(board_.cause_key(), report::to_json(cause));
  server_.set(board_.end_key(), FailureBoard::kFailed);
}

asio::awaitable<void> WatchStore::outlast_watchers() {
  return wait_for_watchers(server_, run_id_);
}

}  // namespace mdl::launcher::job
