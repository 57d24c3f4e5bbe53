#include "rendezvous/store/store_reply.hpp"

#include <utility>

namespace mdl::rendezvous::store {

StoreReply value_reply(ClientId to, StoreValue value) {
  StoreReply reply = number_reply(to, value ? static_cast<std::int64_t>(value->size()) : 0);
  reply.value = std::move(value);
  return reply;
}

StoreReply number_reply(ClientId to, std::int64_t number) {
  StoreReply reply{to, {}};
  wire::append_u64(reply.head, static_cast<std::uint64_t>(number));
  return reply;
}

StoreReply wait_reply(ClientId to, wire::WaitReply answer) {
  return {to, std::string(1, static_cast<char>(answer))};
}

StoreReply check_reply(ClientId to, wire::CheckReply answer) {
  return {to, std::string(1, static_cast<char>(answer))};
}

}  // namespace mdl::rendezvous::store
