#include "worker/health/command/rank_groups.hpp"

#include <torch/torch.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>

#include <algorithm>
#include <utility>
#include <vector>

#include "common/error.hpp"
#include "common/exception_text.hpp"
#include "common/str_cat.hpp"
#include "worker/distributed/rank_meeting.hpp"
#include "worker/health/command/all_reduce_speed.hpp"

namespace mdl::worker::health::command {
namespace {

using distributed::ProcessGroup;

/// Waits until all ranks have come to the store. Throws Error naming the first one that has not.
void require_all(c10d::Store& store, const process::WorkerEnvironment& environment,
                 std::chrono::milliseconds patience) {
  const auto key_of = [](int rank) { return str_cat("here/", rank); };
  std::vector<std::string> keys;
  for (int rank = 0; rank < environment.world_size; ++rank) { keys.push_back(key_of(rank)); }
  store.set(key_of(environment.rank), std::vector<uint8_t>{1});
  try {
    store.wait(keys, patience);
  } catch (const c10::DistStoreError&) {
    const auto absent = std::ranges::find_if(keys, [&](const std::string& key) { return !store.check({key}); });
    if (absent == keys.end()) { return; }
    throw Error(str_cat("rank ", absent - keys.begin(), " has not come to the store at ", environment.master_addr, ":",
                        environment.master_port, " within ", static_cast<double>(patience.count()) / 1000, " s"));
  }
}

/// What came of other ranks, or of LibTorch, as an Error; without a C++ stack trace.
Error as_plain_error(const std::optional<ProcessGroup>& group, const std::exception& error) {
  if (const auto lost = group ? group->explain(error) : std::nullopt) { return Error(lost->problem()); }
  if (const auto* const own = dynamic_cast<const Error*>(&error)) { return *own; }
  if (const auto* const of_torch = dynamic_cast<const c10::Error*>(&error)) {
    return Error(of_torch->what_without_backtrace());
  }
  return Error(describe_exception(error));
}

}  // namespace

process::WorkerEnvironment node_environment(process::WorkerEnvironment environment) {
  environment.rank = environment.local_rank;
  environment.world_size = environment.local_world_size;
  return environment;
}

c10::intrusive_ptr<c10d::Store> RankGroups::store(std::chrono::milliseconds patience) {
  if (!store_) { store_ = distributed::join_store(environment_, patience); }
  store_->setTimeout(patience);
  return store_;
}

HealthPart::Numbers RankGroups::measure(std::optional<ProcessGroup>& group, const std::function<ProcessGroup()>& join,
                                        std::chrono::nanoseconds budget) {
  if (lost_) { throw Error("another rank was lost before"); }
  try {
    group.emplace(join());
    group->connect();
    group->meet();
    return measure_all_reduce(*group, device_, budget);
  } catch (const std::exception& error) {
    lost_ = true;
    throw as_plain_error(group, error);
  }
}

HealthPart::Numbers RankGroups::measure_node(std::chrono::milliseconds patience, std::chrono::nanoseconds budget) {
  const auto join = [&] {
    const std::string keys = str_cat("mdl/health/node/", environment_.rank - environment_.local_rank);
    auto of_node = c10::make_intrusive<c10d::PrefixStore>(keys, store(patience));
    require_all(*of_node, node_environment(environment_), patience);
    return ProcessGroup(node_environment(environment_), device_, patience, of_node);
  };
  return measure(node_, join, budget);
}

HealthPart::Numbers RankGroups::measure_all(std::chrono::milliseconds patience, std::chrono::nanoseconds budget) {
  const auto join = [&] {
    auto of_all = c10::make_intrusive<c10d::PrefixStore>("mdl/health/all", store(patience));
    require_all(*of_all, environment_, patience);
    distributed::agree_on_device(*of_all, environment_, choice_, patience);
    return ProcessGroup(environment_, device_, patience, of_all);
  };
  return measure(all_, join, budget);
}

std::optional<std::vector<std::string>> RankGroups::gather(const std::string& text) {
  auto& group = has_nodes() ? all_ : node_;
  if (lost_ || !group) { return std::nullopt; }
  try {
    return group->gather("health", text, ProcessGroup::Patience::timeout);
  } catch (const std::exception&) {
    lost_ = true;
    return std::nullopt;
  }
}

bool RankGroups::leave() {
  for (auto* const group : {&node_, &all_}) {
    if (lost_ || !*group) { continue; }
    try {
      (*group)->leave(ProcessGroup::Patience::timeout);
    } catch (const std::exception&) { lost_ = true; }
  }
  return !lost_;
}

}  // namespace mdl::worker::health::command
