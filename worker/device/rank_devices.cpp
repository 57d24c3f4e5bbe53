#include "worker/device/rank_devices.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>

#include "common/error.hpp"
#include "common/join.hpp"
#include "common/str_cat.hpp"

namespace mdl::worker::device {
namespace {

constexpr std::size_t kMostNamed = 4;

/// "ranks 2, 3 on node7; rank 4 on node8", of a thousand only the first hosts and their number.
std::string describe_ranks(const std::vector<RankDevice>& devices) {
  std::map<std::string, std::vector<std::string>> by_host;
  for (const RankDevice& each : devices) { by_host[each.host].push_back(std::to_string(each.rank)); }
  std::vector<std::string> parts;
  for (auto& [host, ranks] : by_host) {
    if (parts.size() == kMostNamed) {
      parts.push_back(str_cat(by_host.size() - kMostNamed, " more hosts"));
      break;
    }
    const std::string word = ranks.size() == 1 ? "rank " : "ranks ";
    if (ranks.size() > kMostNamed) { ranks = {ranks.front() + " to " + ranks.back()}; }
    parts.push_back(str_cat(word, joined(ranks), " on ", host));
  }
  std::string text;
  for (const std::string& part : parts) { text += (text.empty() ? "" : "; ") + part; }
  return text;
}

template <typename Condition>
std::vector<RankDevice> those(const std::vector<RankDevice>& devices, Condition condition) {
  std::vector<RankDevice> found;
  std::copy_if(devices.begin(), devices.end(), std::back_inserter(found), condition);
  return found;
}

std::optional<Disagreement> find_shared_gpu(const std::vector<RankDevice>& devices) {
  std::map<std::string, std::vector<RankDevice>> users;
  for (const RankDevice& each : devices) {
    if (!each.choice.gpu.empty()) { users[each.choice.gpu].push_back(each); }
  }
  for (const auto& [gpu, ranks] : users) {
    if (ranks.size() == 1) { continue; }
    return Disagreement{str_cat(describe_ranks(ranks), " have the same GPU, ", gpu),
                        "Start at most one process for each GPU (--nproc-per-node gpu), or show each its own."};
  }
  return std::nullopt;
}

}  // namespace

std::string to_text(const RankDevice& device) {
  return nlohmann::json{{"rank", device.rank},
                        {"host", device.host},
                        {"cuda", device.choice.kind == Kind::cuda},
                        {"because", device.choice.because},
                        {"problem", device.choice.problem},
                        {"advice", device.choice.advice},
                        {"gpu", device.choice.gpu}}
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

RankDevice from_text(const std::string& text) {
  try {
    const auto json = nlohmann::json::parse(text);
    return {json.at("rank").get<int>(),
            json.at("host").get<std::string>(),
            {json.at("cuda").get<bool>() ? Kind::cuda : Kind::cpu, json.at("because").get<std::string>(),
             json.at("problem").get<std::string>(), json.at("advice").get<std::string>(),
             json.at("gpu").get<std::string>()}};
  } catch (const nlohmann::json::exception&) {
    throw Error(str_cat("a rank does not tell its device as this version does: ", text.substr(0, 200)),
                "Start the same mdl-toolkit on all nodes.");
  }
}

std::optional<Disagreement> find_disagreement(const std::vector<RankDevice>& devices) {
  const auto troubled = those(devices, [](const RankDevice& each) { return !each.choice.problem.empty(); });
  if (!troubled.empty()) {
    const Choice& first = troubled.front().choice;
    const auto alike = those(troubled, [&](const RankDevice& each) { return each.choice.problem == first.problem; });
    const std::size_t others = troubled.size() - alike.size();
    return Disagreement{str_cat(describe_ranks(alike), ": ", first.problem,
                                others > 0 ? str_cat("; and ", others, " more ranks cannot compute") : ""),
                        first.advice};
  }
  const auto on_cpu = those(devices, [](const RankDevice& each) { return each.choice.kind == Kind::cpu; });
  if (on_cpu.size() == devices.size()) { return std::nullopt; }
  if (on_cpu.empty()) { return find_shared_gpu(devices); }
  const auto on_gpu = those(devices, [](const RankDevice& each) { return each.choice.kind == Kind::cuda; });
  const std::string because = on_cpu.front().choice.because;
  return Disagreement{
      str_cat("not all ranks compute on the same kind of device: ", describe_ranks(on_cpu),
              because.empty() ? " found no GPU" : str_cat(" took the CPU (", because, ")"), ", but ",
              describe_ranks(on_gpu), " took GPUs"),
      "See nvidia-smi on the hosts without, and start containers there with their GPUs; or let all ranks "
      "compute on CPUs: --device cpu."};
}

}  // namespace mdl::worker::device
