#include "launcher/accelerate/machine_rank.hpp"

#include <charconv>

#include "common/error.hpp"
#include "common/trimmed.hpp"

namespace mdl::launcher::accelerate {
namespace {

std::optional<int> whole_number(const std::string& text) {
  int value = 0;
  auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc() || end != text.data() + text.size() || value < 0) { return std::nullopt; }
  return value;
}

}  // namespace

std::optional<FoundRank> find_machine_rank(const machine::Environment& environment) {
  for (const char* name : {"SLURM_NODEID", "PET_NODE_RANK", "JOB_COMPLETION_INDEX"}) {
    auto variable = environment.find(name);
    if (variable == environment.end()) { continue; }
    std::string source = variable->first + "=" + variable->second;
    auto rank = whole_number(trimmed(variable->second));
    if (!rank) {
      throw UsageError("--machine-rank auto: " + source + " is not a whole number", "Give the rank: --machine-rank N");
    }
    return FoundRank{*rank, source};
  }
  if (!environment.contains("KUBERNETES_SERVICE_HOST")) { return std::nullopt; }
  for (const char* name : {"POD_NAME", "HOSTNAME"}) {
    auto variable = environment.find(name);
    if (variable == environment.end()) { continue; }
    std::size_t dash = variable->second.rfind('-');
    if (dash == std::string::npos) { continue; }
    if (auto rank = whole_number(variable->second.substr(dash + 1))) {
      return FoundRank{*rank, variable->first + "=" + variable->second};
    }
  }
  return std::nullopt;
}

}  // namespace mdl::launcher::accelerate
