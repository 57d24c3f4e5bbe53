#include "worker/training/loop/memory_report.hpp"

#include <nlohmann/json.hpp>

#include "common/str_cat.hpp"
#include "worker/training/memory_peak.hpp"

namespace mdl::worker::training::loop {

void report_memory(at::Device device, distributed::ProcessGroup& group, reports::Reports* reports, int64_t step) {
  const auto peak = memory_peak(device);
  if (!peak) { return; }
  const nlohmann::json mine = {{"allocated", peak->allocated}, {"reserved", peak->reserved}};
  const std::vector<std::string> texts =
      group.gather("memory peaks", mine.dump(), distributed::ProcessGroup::Patience::timeout);
  if (!reports) { return; }
  reports::Metrics metrics;
  for (size_t rank = 0; rank < texts.size(); ++rank) {
    const auto bytes = nlohmann::json::parse(texts[rank]);
    metrics.emplace_back(str_cat("peak_vram_gib_rank_", rank), in_gib(bytes.at("allocated")));
    metrics.emplace_back(str_cat("reserved_vram_gib_rank_", rank), in_gib(bytes.at("reserved")));
  }
  reports->log(metrics, step);
}

}  // namespace mdl::worker::training::loop
