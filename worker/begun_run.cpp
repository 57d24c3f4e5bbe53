#include "worker/begun_run.hpp"

#include <iostream>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/exception_text.hpp"
#include "common/log.hpp"
#include "worker/adapter/adapter_config.hpp"
#include "worker/training/checkpoint/identify_run.hpp"
#include "worker/training/checkpoint/resume.hpp"

namespace mdl::worker {
namespace {

namespace fs = std::filesystem;

/// The run's adapters become what those of a checkpoint are, which only rank 0 needs to reach: `text` is its
/// configuration.
void adopt_checkpoint(training::TrainOptions& options, const model::ModelConfig& model, const fs::path& checkpoint,
                      const std::string& text) {
  const fs::path file = checkpoint / "adapter_config.json";
  const adapter::AdapterConfig adapter = adapter::parse_adapter_config(text, file, adapter::AdapterUse::training);
  options.lora =
      adapter::adopt_lora(options.given_lora, adapter.lora, file.string(), adapter::linear_layer_names(model));
}

/// Rank 0 decides; an Error says why the run may not begin.
void decide_start(const TrainingInputs& inputs, const distributed::ProcessGroup& group,
                  const std::vector<std::string>& agents, BegunRun& run) {
  const training::TrainOptions& options = inputs.options;
  if (!training::checkpoint::find_checkpoint_of_job(options.output, agents)) {
    training::checkpoint::check_resume_option(options.resume_from, options.output);
  }
  run.identity = training::checkpoint::identify_run(options, inputs.model_folder, *inputs.train_data, inputs.dtype,
                                                    group.world_size());
  run.start = training::checkpoint::plan_start(
      training::checkpoint::look_around(options, run.identity, inputs.config, inputs.model_folder, agents));
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
  std::string problem, adapter;
  if (group.is_first()) {
    try {
      decide_start(inputs, group, agents, run);
      problem = run.start.error;
      const auto& found = run.start.checkpoint;
      if (problem.empty() && found) { adapter = read_text(found->folder / "adapter_config.json"); }
    } catch (const std::exception& error) { problem = describe_exception(error); }
  }
  problem = group.share("start", problem);
  if (!problem.empty()) { throw UsageError(problem); }
  const auto& found = run.start.checkpoint;
  const std::string where = group.share("checkpoint", found ? found->folder.string() : std::string());
  if (!where.empty()) {
    run.checkpoint = where;
    adopt_checkpoint(inputs.options, inputs.config, *run.checkpoint, group.share("adapter_config", adapter));
    training::checkpoint::set_adapter(run.identity, inputs.options.lora);
  }
  if (found && !found->identity.run.empty() && !run.start.branches) {
    run.identity.run = found->identity.run;
    run.identity.begun = found->identity.begun;
  }
  if (group.is_first()) { tell_start(inputs, run); }
  return run;
}

}  // namespace mdl::worker
