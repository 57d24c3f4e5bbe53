#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "worker/plan/step_memory.hpp"

namespace mdl::worker::plan {

/// Bytes of a GPU that a process takes beside its tensors: CUDA's context, the buffers of NCCL and cuBLAS, and what the
/// allocator holds but cannot use. A guess with a margin.
inline constexpr int64_t kBesideTensors = int64_t{1} << 30;

/// A training of which the memory is wanted.
struct PlannedRun {
  StepSettings settings;
  HeaviestRows rows;
  int64_t batch_size = 8;
  std::optional<int64_t> batch_tokens{};     ///< in place of it: tokens of a batch; no row has more
  std::optional<HeaviestRows> eval_rows{};   ///< nothing: no evaluation
  std::optional<int64_t> eval_batch_size{};  ///< unset: batch_size
  std::optional<int64_t> answered_rows{};    ///< --eval-generate: rows of an evaluation that are answered
  int64_t spare_tokens = 0;                  ///< of an answer, behind those of the longest right one
  int64_t accumulation_steps = 1;
  int64_t ranks = 1;
  bool merges = true;  ///< final/ is a whole model
};

/// What it takes in each of its processes.
struct MemoryPlan {
  StepMemory step;         ///< of the heaviest batch
  int64_t evaluation = 0;  ///< peak of an evaluation; 0: there is none
  int64_t device = 0;      ///< the greater peak
  int64_t host_batches = 0;
  int64_t host_final = 0;  ///< for the shard of final/ that is being written
};
MemoryPlan plan_memory(const PlannedRun& run);

/// The largest --batch-size, or of a run by tokens the largest --batch-tokens, with which a training fits into so many
/// bytes of a GPU, others of its settings unchanged; 0: none does.
int64_t largest_batch(const PlannedRun& run, int64_t memory);

/// What would fit into so many bytes, the mildest first; empty where nothing would: "--batch-size 4 takes 15.20 GiB".
std::vector<std::string> what_fits(const PlannedRun& run, int64_t memory);

/// The table of `mdl-toolkit plan`. `memory` is what there is of a GPU, `whose` says where that comes from.
std::string plan_table(const PlannedRun& run, const MemoryPlan& plan, const std::optional<int64_t>& memory,
                       const std::string& whose);

/// The same for other programs: bytes by their names; where there is a memory, largest_batch_size (of a run by
/// tokens largest_batch_tokens) and what_fits() as `lighter`.
nlohmann::ordered_json plan_json(const PlannedRun& run, const MemoryPlan& plan, const std::optional<int64_t>& memory);

/// "17.68 GiB", "41.3 MiB"
std::string memory_text(int64_t bytes);

}  // namespace mdl::worker::plan
