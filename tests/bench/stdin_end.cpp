#include "tests/bench/stdin_end.hpp"

#include <unistd.h>

#include <boost/asio/posix/stream_descriptor.hpp>

namespace mdl::bench {

asio::awaitable<void> wait_for_stdin_to_end(asio::io_context& io) {
  asio::posix::stream_descriptor input(io, ::dup(STDIN_FILENO));
  char bytes[64];
  boost::system::error_code ended;
  while (!ended) {
    co_await input.async_read_some(asio::buffer(bytes), asio::redirect_error(asio::use_awaitable, ended));
  }
}

}  // namespace mdl::bench
