#pragma once

#include <functional>
#include <string>

#include "worker/distributed/process_group.hpp"

namespace mdl::worker::distributed {

/// Rank 0 does `work`, and every rank gets the text that it returns; the others wait for as long as it takes. Where it
/// throws, no rank goes on: each throws the same Error, with its problem, its advice and its exit code. Every rank
/// calls it. `name` is used once in a run.
std::string share_work(ProcessGroup& group, const std::string& name, const std::function<std::string()>& work);

/// Every rank does its own `work` and waits for the others. Where it throws on some of them, each rank throws the Error
/// of the lowest one. `name` is used once in a run.
void finish_work(ProcessGroup& group, const std::string& name, const std::function<void()>& work);

}  // namespace mdl::worker::distributed
