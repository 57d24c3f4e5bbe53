#include "worker/begun_run.hpp"

#include <iostream>
#include <nlohmann/json.hpp>

#include "common/atomic_file.hpp"
#include "common/base64.hpp"
#include "common/log.hpp"
#include "worker/adapter/adapter_config.hpp"
#include "worker/distributed/shared_work.hpp"
#include "worker/training/checkpoint/identify_run.hpp"
#include "worker/training/checkpoint/resume.hpp"

namespace mdl::worker {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// The run's adapters become what those of a checkpoint are, which only rank 0 needs to reach: `text` is its
/// configuration.
void adopt_checkpoint(training::TrainOptions& options, const model::ModelConfig& model, const fs::path& checkpoint,
                      const std::string& text) {
  const fs::path file = checkpoint / "adapter_config.json";
  const adapter::AdapterConfig adapter = adapter::parse_adapter_config(text, file, adapter::AdapterUse::training);
  options.lora =
      adapter::adopt_lora(options.given_lora, adapter.lora, file.string(), adapter::linear_layer_names(model));
}

/// Where a run goes on from, as rank 0 tells the others.
struct ResumePoint {
  fs::path checkpoint;
  std::string adapter_config;  ///< the text of its adapter_config.json
};

/// Texts in base64: a path need not be UTF-8.
std::string to_json(const std::optional<ResumePoint>& point) {
  if (!point) { return json(nullptr).dump(); }
  return json::array({base64_encode(point->checkpoint.string()), base64_encode(point->adapter_config)}).dump();
}

std::optional<ResumePoint> resume_point_from_json(const std::string& text) {
  const json parts = json::parse(text);
  if (parts.is_null()) { return std::nullopt; }
  const auto text_at = [&](std::size_t i) { return base64_decode(parts.at(i).get<std::string>()).value(); };
  return ResumePoint{.checkpoint = text_at(0), .adapter_config = text_at(1)};
}

/// Rank 0's part. Throws where the run may not begin.
std::optional<ResumePoint> decide_start(const TrainingInputs& inputs, const distributed::ProcessGroup& group,
                                        const std::vector<std::string>& agents, BegunRun& run) {
  const training::TrainOptions& options = inputs.options;
  if (!training::checkpoint::find_checkpoint_of_job(options.output, agents)) {
    training::checkpoint::check_resume_option(options.resume_from, options.output);
  }
  run.identity = training::checkpoint::identify_run(options, inputs.model_folder, *inputs.train_data, inputs.dtype,
                                                    group.world_size());
  run.start = training::checkpoint::plan_start(
      training::checkpoint::read_start_conditions(options, run.identity, inputs.config, inputs.base_model, agents));
  if (!run.start.checkpoint) { return std::nullopt; }
  const fs::path& folder = run.start.checkpoint->folder;
  return ResumePoint{.checkpoint = folder, .adapter_config = read_text(folder / "adapter_config.json")};
}

void tell_start(const TrainingInputs& inputs, const BegunRun& run) {
  const training::TrainOptions& options = inputs.options;
  for (const std::string& warning : run.start.warnings) { log::warning(warning); }
  for (const std::string& news : run.start.news) { log::news(news); }
  if (run.checkpoint && options.initial_adapter) {
    log::news("--initial-adapter ", options.initial_adapter->string(),
              " does not count: the run goes on from its checkpoint");
  }
  if (run.checkpoint || options.initial_adapter) {
    std::cout << "starting from the adapter in "
              << (run.checkpoint ? *run.checkpoint : *options.initial_adapter).string() << ": "
              << adapter::describe(options.lora) << std::endl;
  }
}

}  // namespace

BegunRun begin_run(TrainingInputs& inputs, distributed::ProcessGroup& group, const std::vector<std::string>& agents) {
  BegunRun run;
  const std::string told =
      distributed::share_work(group, "start", [&] { return to_json(decide_start(inputs, group, agents, run)); });
  if (const auto point = resume_point_from_json(told)) {
    run.checkpoint = point->checkpoint;
    adopt_checkpoint(inputs.options, inputs.config, *run.checkpoint, point->adapter_config);
    training::checkpoint::set_adapter(run.identity, inputs.options.lora);
  }
  const auto& found = run.start.checkpoint;
  if (found && !found->identity.run.empty() && !run.start.branches) {
    run.identity.run = found->identity.run;
    run.identity.begun = found->identity.begun;
  }
  if (group.is_first()) { tell_start(inputs, run); }
  return run;
}

}  // namespace mdl::worker
