// What a node makes of the rendezvous state that another one, or a stranger, has put into the store.
#include "common/base64.hpp"
#include "rendezvous/c10d/rendezvous_state.hpp"
#include "tests/fuzz/fuzz_input.hpp"

using namespace mdl;
using namespace mdl::rendezvous::c10d;

namespace {

void decode(std::string_view stored) {
  try {
    const RendezvousState state = decode_rendezvous_state(stored);
    fuzz::claim(decode_rendezvous_state(encode_rendezvous_state(state)) == state, "a state survives being stored");
  } catch (const Error&) {}
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  decode(fuzz::text_of(data, size));
  decode(base64_encode(fuzz::text_of(data, size)));
  return 0;
}
