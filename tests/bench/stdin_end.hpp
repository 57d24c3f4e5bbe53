#pragma once

#include "common/loop/asio.hpp"

namespace mdl::bench {

/// Returns when whoever started this program has closed its stdin, which is how they end it.
asio::awaitable<void> wait_for_stdin_to_end(asio::io_context& io);

}  // namespace mdl::bench
