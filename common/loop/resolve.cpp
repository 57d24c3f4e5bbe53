#include "common/loop/resolve.hpp"

#include <memory>
#include <optional>

#include "common/str_cat.hpp"

namespace mdl::loop {
namespace {

using asio::ip::tcp;
using boost::system::error_code;

struct Lookup {
  explicit Lookup(const asio::any_io_executor& executor) : resolver(executor), done(executor) {}
  tcp::resolver resolver;
  asio::steady_timer done;  // cancelled when the resolver has answered
  bool answered = false;
  error_code error;
  std::vector<tcp::endpoint> addresses;
};

}  // namespace

asio::awaitable<Expected<std::vector<tcp::endpoint>, std::string>> resolve(Endpoint endpoint,
                                                                           std::chrono::milliseconds timeout) {
  error_code error;
  const asio::ip::address address = asio::ip::make_address(endpoint.host, error);
  if (!error) {
    std::vector<tcp::endpoint> itself;
    itself.emplace_back(address, endpoint.port);
    co_return itself;
  }
  const auto lookup = std::make_shared<Lookup>(co_await asio::this_coro::executor);
  lookup->done.expires_after(timeout);
  lookup->resolver.async_resolve(endpoint.host, std::to_string(endpoint.port), tcp::resolver::numeric_service,
                                 [lookup](const error_code& failure, const tcp::resolver::results_type& found) {
                                   lookup->answered = true;
                                   lookup->error = failure;
                                   for (const auto& entry : found) { lookup->addresses.push_back(entry.endpoint()); }
                                   lookup->done.cancel();
                                 });
  co_await lookup->done.async_wait(asio::redirect_error(asio::use_awaitable, error));
  if (!lookup->answered) {
    co_return Unexpected{str_cat("no answer about the name \"", endpoint.host, "\" from the resolver")};
  }
  if (lookup->error || lookup->addresses.empty()) {
    co_return Unexpected{str_cat("the name \"", endpoint.host, "\" does not resolve: ", lookup->error.message())};
  }
  co_return std::move(lookup->addresses);
}

}  // namespace mdl::loop
