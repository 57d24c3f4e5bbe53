#include "worker/plan/memory_plan.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <vector>

#include "common/str_cat.hpp"
#include "worker/adapter/pretrained.hpp"

namespace mdl::worker::plan {
namespace {

constexpr int64_t kMostClips = 4096;  ///< in a batch: nobody wants more
constexpr double kSampleRate = 16000;
constexpr size_t kColumn = 50;                        ///< of the numbers in the table
constexpr int64_t kHostProgram = int64_t{400} << 20;  ///< LibTorch, loaded, without CUDA's part: 390 MiB measured

StepSettings step_settings(const PlannedRun& run) {
  StepSettings settings = run.settings;
  settings.gradients_stay = run.accumulation_steps > 1 || run.ranks > 1;
  return settings;
}

/// The option that says how large a batch is.
const char* batch_option(const PlannedRun& run) {
  return run.batch_tokens ? "--batch-tokens" : "--batch-size";
}

/// Its value: rows or tokens.
int64_t batch_of(const PlannedRun& run) {
  return run.batch_tokens.value_or(run.batch_size);
}

/// The same run with another one.
PlannedRun with_batch(PlannedRun run, int64_t batch) {
  (run.batch_tokens ? *run.batch_tokens : run.batch_size) = batch;
  return run;
}

/// The least that makes sense: a batch of the longest row.
int64_t least_batch(const PlannedRun& run) {
  return run.batch_tokens ? std::max<int64_t>(1, run.rows.heaviest().tokens) : 1;
}

std::vector<RowSize> heaviest_batch(const PlannedRun& run) {
  return run.batch_tokens ? run.rows.filling(*run.batch_tokens) : run.rows.first(run.batch_size);
}

/// 0 without an evaluation.
int64_t evaluation_peak(StepMeter& meter, const PlannedRun& run) {
  if (!run.eval_rows) { return 0; }
  const int64_t rows = run.eval_batch_size.value_or(run.batch_size);
  const int64_t peak = meter.evaluation(run.eval_rows->first(rows));
  if (!run.answered_rows) { return peak; }
  const int64_t tokens = run.eval_rows->heaviest().labels + run.spare_tokens;
  return std::max(peak, meter.answering(run.eval_rows->first(std::min(rows, *run.answered_rows)), tokens));
}

int64_t device_peak(StepMeter& meter, const PlannedRun& run) {
  return std::max(meter.training(heaviest_batch(run)).peak, evaluation_peak(meter, run));
}

/// Bytes of the sounds of a batch on the host, where all are as long as its longest.
int64_t sound_bytes(const PlannedRun& run) {
  int64_t samples = run.batch_size * run.rows.heaviest().samples;
  if (run.batch_tokens) {
    samples = *run.batch_tokens * model::audio_tokens(run.settings.config).samples_each();
    int64_t stored = 0;  // with padding that the dataset may have
    for (const RowSize& row : run.rows.filling(*run.batch_tokens)) { stored += row.samples; }
    samples = std::max(samples, stored);
  }
  return samples * static_cast<int64_t>(sizeof(float));
}

bool fits(int64_t peak, int64_t memory) {
  return peak + kBesideTensors <= memory;
}

std::string line(const std::string& name, const std::string& value) {
  return str_cat("  ", name, std::string(name.size() < kColumn ? kColumn - name.size() : 1, ' '), value, '\n');
}

std::string dtype_text(const StepSettings& settings) {
  const std::string type = settings.dtype == at::kBFloat16 ? "bfloat16" : "float32";
  return settings.quantization ? str_cat(settings.quantization->name(), " and ", type) : type;
}

std::string seconds_text(int64_t samples) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f s", static_cast<double>(samples) / kSampleRate);
  return text.data();
}

/// Other settings of the same run that take less, the mildest first.
std::vector<std::pair<std::string, PlannedRun>> lighter(const PlannedRun& run) {
  std::vector<std::pair<std::string, PlannedRun>> others;
  PlannedRun other = run;
  const auto add = [&](const std::string& option) {
    others.emplace_back(others.empty() ? option : str_cat(others.back().first, ' ', option), other);
  };
  if (!run.settings.gradient_checkpointing) {
    other.settings.gradient_checkpointing = true;
    add("--gradient-checkpointing true");
  }
  if (run.settings.dtype == at::kFloat) {
    other.settings.dtype = at::kBFloat16;
    add("--bf16 true");
  }
  if (!run.settings.quantization) {
    other.settings.quantization = quantization::Quantization{.kind = quantization::Quantization::Kind::nf4};
    add("--quantization 4bit --quantization-type nf4");
  }
  return others;
}

}  // namespace

std::string memory_text(int64_t bytes) {
  std::array<char, 32> text{};
  const bool small = bytes < (int64_t{1} << 30) / 10;
  std::snprintf(text.data(), text.size(), small ? "%.1f MiB" : "%.2f GiB",
                static_cast<double>(bytes) / (small ? 1 << 20 : 1 << 30));
  return text.data();
}

MemoryPlan plan_memory(const PlannedRun& run) {
  StepMeter meter(step_settings(run));
  MemoryPlan plan;
  plan.step = meter.training(heaviest_batch(run));
  plan.evaluation = evaluation_peak(meter, run);
  plan.device = std::max(plan.step.peak, plan.evaluation);
  // Two steps' batches: one that is computed, and the next, which is read meanwhile.
  plan.host_batches = 2 * run.accumulation_steps * sound_bytes(run);
  const int64_t shard =
      run.settings.quantization ? adapter::kShardBytes : std::min(plan.step.weights, adapter::kShardBytes);
  plan.host_final = run.merges ? shard : plan.step.adapters;
  return plan;
}

int64_t largest_batch(const PlannedRun& run, int64_t memory) {
  StepMeter meter(step_settings(run));
  // Of an evaluation with a batch of its own, once.
  const std::optional<int64_t> evaluation =
      run.eval_batch_size ? std::optional(evaluation_peak(meter, run)) : std::nullopt;
  const auto fitting = [&](int64_t batch) {
    const PlannedRun other = with_batch(run, batch);
    const int64_t training = meter.training(heaviest_batch(other)).peak;
    return fits(std::max(training, evaluation ? *evaluation : evaluation_peak(meter, other)), memory);
  };
  const int64_t least = least_batch(run);
  if (!fitting(least)) { return 0; }
  int64_t good = least, bad = 2 * least;
  while (bad <= kMostClips * least && fitting(bad)) {
    good = bad;
    bad *= 2;
  }
  while (bad - good > 1) {
    const int64_t middle = (good + bad) / 2;
    (fitting(middle) ? good : bad) = middle;
  }
  return good;
}

std::vector<std::string> what_fits(const PlannedRun& run, int64_t memory) {
  std::vector<std::string> lines;
  const auto add = [&](const std::string& options, const PlannedRun& other) {
    StepMeter meter(step_settings(other));
    lines.push_back(str_cat(options, " takes ", memory_text(device_peak(meter, other))));
  };
  const int64_t largest = largest_batch(run, memory);
  if (largest > 0 && largest < batch_of(run)) {
    add(str_cat(batch_option(run), ' ', largest), with_batch(run, largest));
  }
  for (const auto& [options, other] : lighter(run)) {
    if (largest_batch(other, memory) >= batch_of(run)) { add(options, other); }
  }
  return lines;
}

std::string plan_table(const PlannedRun& run, const MemoryPlan& plan, const std::optional<int64_t>& memory,
                       const std::string& whose) {
  const StepMemory& step = plan.step;
  const RowSize& row = run.rows.heaviest();
  std::string text =
      str_cat("memory of each process, at the peak of a training step; its heaviest batch: ", batch_of(run),
              run.batch_tokens ? " tokens, the longest row " : " clips, the longest ", seconds_text(row.samples),
              " and ", row.tokens, " tokens\n");
  text += line(str_cat("base model, ", dtype_text(run.settings)), memory_text(step.weights));
  text += line(str_cat("adapters of rank ", run.settings.lora.rank), memory_text(step.adapters));
  text += line("optimizer", memory_text(step.moments));
  if (step.gradients > 0) { text += line("gradients", memory_text(step.gradients)); }
  text += line(str_cat("kept for the backward pass", run.settings.gradient_checkpointing ? ", with checkpointing" : ""),
               memory_text(step.kept));
  text += line(step.gradients > 0 ? "working memory" : "gradients and working memory", memory_text(step.working));
  text += line("device, training", memory_text(step.peak));
  if (plan.evaluation > 0) { text += line("device, evaluation", memory_text(plan.evaluation)); }
  text += line("beside it: CUDA, NCCL, the allocator (a guess)", memory_text(kBesideTensors));
  text += line("host: program, batches, a shard of final/",
               memory_text(kHostProgram + plan.host_batches + plan.host_final));
  if (!memory) { return text + "There is no GPU here, and no --memory to compare it with.\n"; }
  text += line(whose, memory_text(*memory));
  if (fits(plan.device, *memory)) {
    return text +
           str_cat("It fits. The largest ", batch_option(run), " that does is ", largest_batch(run, *memory), ".\n");
  }
  const auto others = what_fits(run, *memory);
  if (others.empty()) { return text + "It does not fit. Nor does a smaller batch, fewer bits or checkpointing.\n"; }
  text += "It does not fit. These do:\n";
  for (const std::string& other : others) { text += other + '\n'; }
  return text;
}

nlohmann::ordered_json plan_json(const PlannedRun& run, const MemoryPlan& plan, const std::optional<int64_t>& memory) {
  const StepMemory& step = plan.step;
  nlohmann::ordered_json json = {{run.batch_tokens ? "batch_tokens" : "batch_size", batch_of(run)},
                                 {"weights", step.weights},
                                 {"adapters", step.adapters},
                                 {"optimizer", step.moments},
                                 {"gradients", step.gradients},
                                 {"kept_for_backward", step.kept},
                                 {"working", step.working},
                                 {"device_training", step.peak},
                                 {"device_evaluation", plan.evaluation},
                                 {"device_beside", kBesideTensors},
                                 {"host", kHostProgram + plan.host_batches + plan.host_final}};
  if (memory) {
    json["device_memory"] = *memory;
    json[run.batch_tokens ? "largest_batch_tokens" : "largest_batch_size"] = largest_batch(run, *memory);
    json["lighter"] = fits(plan.device, *memory) ? std::vector<std::string>() : what_fits(run, *memory);
  }
  return json;
}

}  // namespace mdl::worker::plan
