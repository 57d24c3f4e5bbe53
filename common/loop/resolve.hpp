#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "common/endpoint.hpp"
#include "common/expected.hpp"
#include "common/loop/asio.hpp"

namespace mdl::loop {

/// The addresses of an endpoint, at least one, in the order of the system's resolver, or else why there are none. An
/// address as host is taken as it is, without asking anybody. The resolver runs in a thread of Asio's; when it has not
/// answered by `timeout`, this goes on without it (the io_context's destructor still waits for that thread).
asio::awaitable<Expected<std::vector<asio::ip::tcp::endpoint>, std::string>> resolve(Endpoint endpoint,
                                                                                     std::chrono::milliseconds timeout);

}  // namespace mdl::loop
