#include "launcher/doctor_deep/health_comparison.hpp"

#include <algorithm>

namespace mdl::launcher::doctor_deep {
namespace {

constexpr double kLeastShare = 0.8;  // of the median

/// One process's number.
struct Sample {
  std::size_t node;
  int local_rank;
  std::int64_t value;
};

std::vector<Sample> samples_of(const std::vector<NodeHealth>& nodes, const ComparedPart& part) {
  std::vector<Sample> samples;
  for (std::size_t node = 0; node < nodes.size(); ++node) {
    for (const RankHealth& rank : nodes[node].ranks) {
      const auto& value = (rank.*part.field).value;
      if (value) { samples.push_back({node, rank.local_rank, *value}); }
    }
  }
  return samples;
}

std::int64_t median_of(const std::vector<Sample>& samples) {
  std::vector<std::int64_t> values;
  for (const Sample& sample : samples) { values.push_back(sample.value); }
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  if (values.size() % 2 == 1) { return values[half]; }
  return values[half - 1] + (values[half] - values[half - 1]) / 2;
}

/// Of one node: all of its processes as one, or those of them that are slow.
void add_outliers(const ComparedPart& part, std::int64_t median, const std::vector<Sample>& of_node,
                  std::vector<Outlier>& outliers) {
  const auto is_slow = [&](const Sample& sample) {
    return static_cast<double>(sample.value) < kLeastShare * static_cast<double>(median);
  };
  std::vector<Sample> slow;
  std::copy_if(of_node.begin(), of_node.end(), std::back_inserter(slow), is_slow);
  if (slow.empty()) { return; }
  if (slow.size() == of_node.size()) {
    const auto least =
        std::min_element(slow.begin(), slow.end(), [](const auto& a, const auto& b) { return a.value < b.value; });
    outliers.push_back({least->node, std::nullopt, &part, least->value, median});
    return;
  }
  for (const Sample& each : slow) { outliers.push_back({each.node, each.local_rank, &part, each.value, median}); }
}

void take_better(Measured& first, const Measured& second, bool more_is_better) {
  if (!second.value) { return; }
  if (!first.value || (*first.value < *second.value) == more_is_better) { first = second; }
}

}  // namespace

const std::vector<ComparedPart>& compared_parts() {
  static const std::vector<ComparedPart> parts{
      {"matrix product", "FLOP/s", &RankHealth::matrix_product},
      {"memory copy", "B/s", &RankHealth::memory_copy},
      {"all-reduce in the node", "B/s", &RankHealth::node_all_reduce},
      {"free memory", "B", &RankHealth::free_memory},
      {"disk", "B/s", &RankHealth::disk_write},
  };
  return parts;
}

std::vector<Outlier> find_outliers(const std::vector<NodeHealth>& nodes) {
  std::vector<Outlier> outliers;
  for (const ComparedPart& part : compared_parts()) {
    const std::vector<Sample> samples = samples_of(nodes, part);
    if (samples.size() < 2) { continue; }
    const std::int64_t median = median_of(samples);
    for (std::size_t node = 0; node < nodes.size(); ++node) {
      std::vector<Sample> of_node;
      std::copy_if(samples.begin(), samples.end(), std::back_inserter(of_node),
                   [&](const Sample& sample) { return sample.node == node; });
      add_outliers(part, median, of_node, outliers);
    }
  }
  return outliers;
}

NodeHealth better_of(NodeHealth first, const NodeHealth& second) {
  for (RankHealth& rank : first.ranks) {
    const auto again = std::find_if(second.ranks.begin(), second.ranks.end(),
                                    [&](const RankHealth& other) { return other.local_rank == rank.local_rank; });
    if (again == second.ranks.end()) { continue; }
    for (const ComparedPart& part : compared_parts()) { take_better(rank.*part.field, (*again).*part.field, true); }
    take_better(rank.node_latency, again->node_latency, false);
  }
  return first;
}

}  // namespace mdl::launcher::doctor_deep
