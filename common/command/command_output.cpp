#include "common/command/command_output.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>

#include "common/command/child.hpp"

namespace mdl::command {
namespace {

constexpr std::size_t kMaximalOutput = 1 << 20;

}  // namespace

std::optional<std::string> output_of(const std::vector<std::string>& command, std::chrono::milliseconds limit,
                                     const std::vector<std::string>& variables) {
  auto child = Child::start(command, variables);
  if (!child) { return std::nullopt; }
  const auto deadline = Child::Clock::now() + limit;
  std::string text;
  char buffer[4096];
  while (true) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Child::Clock::now()).count();
    pollfd ready{child->output(), POLLIN, 0};
    const int events = ::poll(&ready, 1, static_cast<int>(std::max<long long>(left, 0)));
    if (events < 0 && errno == EINTR) { continue; }
    if (events <= 0) { return std::nullopt; }
    const ssize_t got = ::read(child->output(), buffer, sizeof(buffer));
    if (got < 0) { return std::nullopt; }
    if (got == 0) { break; }
    text.append(buffer, static_cast<std::size_t>(got));
    if (text.size() > kMaximalOutput) { return std::nullopt; }
  }
  if (!child->succeeds_until(deadline)) { return std::nullopt; }
  return text;
}

}  // namespace mdl::command
