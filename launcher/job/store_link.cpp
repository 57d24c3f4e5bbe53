#include "launcher/job/store_link.hpp"

#include <utility>

#include "common/error.hpp"

namespace mdl::launcher::job {

asio::awaitable<void> StoreLink::open() {
  std::optional<StorePlace> place = place_();
  if (!place) {
    close();
    throw Error("it is not reached just now");
  }
  if (store_ && connected_to_ == place->address) { co_return; }
  close();
  connected_to_ = place->address;
  auto attempt = co_await rendezvous::client::TcpStoreClient::try_connect(place->address, place->credential, timeout_);
  if (!attempt) { throw Error(attempt.error().reason); }
  store_ = std::move(*attempt);
  store_->set_reply_timeout(timeout_);
}

}  // namespace mdl::launcher::job
