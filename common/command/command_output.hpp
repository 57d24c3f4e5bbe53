#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace mdl::command {

/// Runs a short command (searched in PATH) and returns what it wrote to stdout; stderr and stdin are /dev/null. Empty
/// when it cannot be started, ends with another code than 0, takes longer than `limit` or writes more than 1 MiB (it is
/// killed then). `variables` ("NAME=VALUE") go before those of this process.
std::optional<std::string> output_of(const std::vector<std::string>& command, std::chrono::milliseconds limit,
                                     const std::vector<std::string>& variables = {});

}  // namespace mdl::command
