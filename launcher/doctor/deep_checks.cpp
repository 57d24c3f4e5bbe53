#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "common/join.hpp"
#include "common/str_cat.hpp"
#include "launcher/doctor/check_classes.hpp"
#include "launcher/doctor_deep/health_comparison.hpp"
#include "launcher/doctor_deep/health_text.hpp"

namespace mdl::launcher::doctor {
namespace {

using doctor_deep::ComparedPart;
using doctor_deep::Measured;
using doctor_deep::NodeHealth;
using doctor_deep::Outlier;
using doctor_deep::RankHealth;
using Level = Finding::Level;

constexpr const char* kDeepCheck = "health";
constexpr const char* kBetweenNodes = "all-reduce between nodes";
constexpr const char* kGpuErrors = "GPU errors";

/// What to look at where a part is slow.
const std::map<std::string, const char*>& slow_advice() {
  static const std::map<std::string, const char*> advice{
      {"matrix product",
       "Another program may compute there (nvidia-smi, top), or the GPU is throttled: nvidia-smi -q -d PERFORMANCE. On "
       "CPUs compare OMP_NUM_THREADS and the governor."},
      {"memory copy",
       "Another program may use the memory there; of a GPU see nvidia-smi -q -d ECC,CLOCK,ROW_REMAPPER."},
      {"all-reduce in the node", "Compare nvidia-smi topo -m and nvidia-smi nvlink --status with those of the others."},
      {"free memory", "Another program holds memory there: nvidia-smi, or free."},
      {"disk", "Another program may write there, or it is another file system than on the others: df, iostat -x."},
  };
  return advice;
}

/// "bfloat16 on 16 GPUs", "float32 on 2 nodes".
std::string where_measured(const std::vector<const RankHealth*>& ranks, std::size_t nodes) {
  const RankHealth& first = *ranks.front();
  if (first.on_gpu) { return str_cat(" on ", counted(ranks.size(), "GPU")); }
  return nodes > 1 ? str_cat(" on ", nodes, " nodes") : std::string();
}

std::vector<const RankHealth*> those_with(const std::vector<NodeFacts>& nodes, Measured RankHealth::* field) {
  std::vector<const RankHealth*> ranks;
  for (const NodeFacts& node : nodes) {
    for (const RankHealth& rank : node.health.ranks) {
      if ((rank.*field).value) { ranks.push_back(&rank); }
    }
  }
  return ranks;
}

struct LeastAndMost {
  std::int64_t least, most;
};

LeastAndMost extremes(const std::vector<const RankHealth*>& ranks, Measured RankHealth::* field) {
  const auto [least, most] = std::minmax_element(ranks.begin(), ranks.end(), [&](const auto* a, const auto* b) {
    return *(a->*field).value < *(b->*field).value;
  });
  return {*((*least)->*field).value, *((*most)->*field).value};
}

std::string of_gpu(const std::optional<int>& local_rank) {
  return local_rank ? str_cat("GPU ", *local_rank, ": ") : std::string();
}

std::string outlier_text(const Outlier& outlier) {
  const auto percent = std::lround(100 * static_cast<double>(outlier.value) /
                                   static_cast<double>(std::max<std::int64_t>(outlier.median, 1)));
  return str_cat(of_gpu(outlier.local_rank), percent,
                 " % of the median: ", doctor_deep::scaled_of(outlier.value, outlier.median, outlier.part->unit));
}

/// "node1", "node1 and 2 more nodes": those whose doctors were started with --deep, or without it.
std::string started(const std::vector<NodeFacts>& nodes, bool deep) {
  std::string first;
  int others = -1;
  for (const NodeFacts& node : nodes) {
    if ((node.deep_ranks >= 0) != deep) { continue; }
    if (++others == 0) { first = node.host; }
  }
  return others <= 0 ? first : str_cat(first, " and ", counted(others, "more node"));
}

/// Of a node that nothing is known of otherwise: the doctors were not started alike. The first node has the others
/// measure.
std::string why_not_asked(const NodeFacts& node, const std::vector<NodeFacts>& nodes) {
  if (node.deep_ranks < 0) {
    return str_cat(started(nodes, true), " asked for --deep, and the doctor of this node was started without it");
  }
  const NodeFacts& first = nodes.front();
  return first.deep_ranks < 0
             ? str_cat("the doctor of ", first.host, ", which has the nodes measure, was started without --deep")
             : str_cat("the doctor of ", first.host, " did not have it measure");
}

std::string deep_everywhere(const std::vector<NodeFacts>& nodes) {
  const std::string plain = started(nodes, false);
  return str_cat("Start `mdl-launch doctor --deep …` on all nodes",
                 plain.empty() ? "." : ", on " + plain + " as well.");
}

/// The parts by the names that are told, for what was not measured.
struct NamedPart {
  const char* name;
  Measured RankHealth::* field;
};
constexpr NamedPart kNamedParts[] = {
    {"matrix product", &RankHealth::matrix_product},
    {"memory copy", &RankHealth::memory_copy},
    {"all-reduce in the node", &RankHealth::node_all_reduce},
    {kBetweenNodes, &RankHealth::all_reduce},
    {"free memory", &RankHealth::free_memory},
    {"disk", &RankHealth::disk_write},
    {kGpuErrors, &RankHealth::uncorrected_errors},
};

}  // namespace

void DeepChecks::all() {
  if (std::all_of(nodes_.begin(), nodes_.end(), [](const NodeFacts& node) { return node.deep_ranks < 0; })) { return; }
  for (const NodeFacts& node : nodes_) { missing(node); }
  speeds();
  between_nodes();
  for (const NodeFacts& node : nodes_) { gpu_errors(node); }
}

void DeepChecks::missing(const NodeFacts& node) {
  if (!node.health.problem.empty()) {
    add(Level::warning, kDeepCheck, node.host, "not measured: " + node.health.problem,
        node.health.advice.empty() ? "Run `mdl-toolkit health` there by itself." : node.health.advice);
  } else if (node.health.ranks.empty()) {
    add(Level::warning, kDeepCheck, node.host, "not measured: " + why_not_asked(node, nodes_), deep_everywhere(nodes_));
  }
  for (const NamedPart& part : kNamedParts) {
    std::set<std::string> reasons;  // of several GPUs mostly one
    for (const RankHealth& rank : node.health.ranks) {
      const std::string& why = (rank.*part.field).not_measured;
      if (why.empty() || !reasons.insert(why).second) { continue; }
      add(Level::warning, part.name, node.host, "not measured: " + why, "Run `mdl-toolkit health` there by itself.");
    }
  }
}

void DeepChecks::speeds() {
  std::vector<NodeHealth> healths;
  for (const NodeFacts& node : nodes_) { healths.push_back(node.health); }
  const std::vector<Outlier> outliers = find_outliers(healths);
  for (const ComparedPart& part : doctor_deep::compared_parts()) {
    bool all_alike = true;
    for (const Outlier& outlier : outliers) {
      if (outlier.part != &part) { continue; }
      all_alike = false;
      add(Level::warning, part.name, nodes_[outlier.node].host, outlier_text(outlier), slow_advice().at(part.name));
    }
    const std::vector<const RankHealth*> ranks = those_with(nodes_, part.field);
    if (!all_alike || ranks.empty()) { continue; }
    const auto [least, most] = extremes(ranks, part.field);
    const bool has_type = part.field == &RankHealth::matrix_product && !ranks.front()->type.empty();
    add(Level::ok, part.name, "",
        str_cat(doctor_deep::scaled_range(least, most, part.unit), has_type ? " in " + ranks.front()->type : "",
                where_measured(ranks, nodes_.size())));
  }
}

void DeepChecks::between_nodes() {
  const std::vector<const RankHealth*> ranks = those_with(nodes_, &RankHealth::all_reduce);
  if (ranks.empty() || nodes_.size() < 2) { return; }
  std::string latency;
  if (const auto told = those_with(nodes_, &RankHealth::latency); !told.empty()) {
    latency = ", " + doctor_deep::time_text(extremes(told, &RankHealth::latency).most) + " for a few bytes";
  }
  // Each rank takes part in the same operations: the slowest of them is how fast they are.
  add(Level::ok, kBetweenNodes, "",
      str_cat(doctor_deep::scaled(extremes(ranks, &RankHealth::all_reduce).least, "B/s"), " of bus bandwidth",
              latency));
}

void DeepChecks::gpu_errors(const NodeFacts& node) {
  std::int64_t healthy = 0;
  for (const RankHealth& rank : node.health.ranks) {
    const std::int64_t uncorrected = rank.uncorrected_errors.value.value_or(0);
    const std::int64_t pending = rank.pending_rows.value.value_or(0), xids = rank.xid_errors.value.value_or(0);
    const std::string gpu = str_cat("GPU ", rank.local_rank, ": ");
    if (uncorrected > 0 || pending > 0) {
      add(Level::warning, kGpuErrors, node.host,
          str_cat(gpu, uncorrected, " uncorrected ECC errors", pending > 0 ? ", memory to be replaced" : ""),
          "Reset the GPU (nvidia-smi --gpu-reset) or restart the machine; where they come back, have it replaced.");
    }
    if (xids > 0) {
      add(Level::warning, kGpuErrors, node.host,
          str_cat(gpu, xids, " Xid errors, the last one ", rank.last_xid.value.value_or(0)),
          "See `dmesg | grep Xid`, and what NVIDIA's catalogue of Xid errors says of that number.");
    }
    healthy += rank.uncorrected_errors.value && uncorrected + pending + xids == 0 ? 1 : 0;
  }
  if (healthy > 0 && healthy == std::ssize(node.health.ranks)) {
    add(Level::ok, kGpuErrors, node.host, "no uncorrected ECC error and no Xid error");
  }
}

void DeepChecks::add(Level level, const std::string& check, const std::string& node, const std::string& text,
                     const std::string& advice) {
  findings_.push_back({level, check, node, text, advice});
}

}  // namespace mdl::launcher::doctor
