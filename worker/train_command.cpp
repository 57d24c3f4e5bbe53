#include "worker/train_command.hpp"

#include <torch/torch.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "common/atomic_file.hpp"
#include "common/atomic_folder.hpp"
#include "common/exception_text.hpp"
#include "common/log.hpp"
#include "common/standard_streams.hpp"
#include "common/str_cat.hpp"
#include "worker/adapter/adapter_folder.hpp"
#include "worker/adapter/running_statistics.hpp"
#include "worker/adapter/unquantized.hpp"
#include "worker/begun_run.hpp"
#include "worker/cli/command_line.hpp"
#include "worker/info/describe_model.hpp"
#include "worker/libraries/take_over.hpp"
#include "worker/loading_bar.hpp"
#include "worker/planned_memory.hpp"
#include "worker/process/error_file.hpp"
#include "worker/process/progress_sender.hpp"
#include "worker/process/typed_command.hpp"
#include "worker/tensors/out_of_memory.hpp"
#include "worker/training/checkpoint/checkpoint.hpp"
#include "worker/training/checkpoint/job_identity.hpp"
#include "worker/training/loop/step_faults.hpp"
#include "worker/training/loop/trainer.hpp"
#include "worker/training/memory_peak.hpp"
#include "worker/training/train_option_table.hpp"
#include "worker/training_inputs.hpp"
#include "worker/training_report.hpp"

namespace mdl::worker {
namespace {

namespace fs = std::filesystem;

constexpr const char* kAdapterWeights = "adapter_model.safetensors";

distributed::ProcessGroup join_ranks(const TrainingInputs& inputs) {
  return inputs.meeting.store ? distributed::ProcessGroup(*inputs.environment, inputs.meeting.device,
                                                          inputs.options.ddp_timeout, inputs.meeting.store)
                              : distributed::ProcessGroup();
}

void announce(const distributed::ProcessGroup& group, const distributed::Meeting& meeting) {
  if (!group.is_first() || meeting.device.is_cuda()) { return; }
  log::warning(meeting.because.empty() ? "no CUDA device" : meeting.because, ": training on the CPU",
               group.is_alone() ? "" : str_cat(" in ", group.world_size(), " processes joined by Gloo"));
}

void print_parameter_counts(model::MiDashengLM& model) {
  const adapter::ParameterCounts counts = adapter::count_parameters(model);
  std::printf("trainable params: %s || all params: %s || trainable%%: %.4f\n",
              info::with_commas(counts.trainable).c_str(), info::with_commas(counts.all).c_str(),
              100.0 * static_cast<double>(counts.trainable) / static_cast<double>(counts.all));
  std::fflush(stdout);
}

/// Nothing on the CPU, whose memory no plan knows.
std::optional<PlannedMemory> planned_memory(const TrainingInputs& inputs, const BegunRun& run) {
  const auto of_gpu = training::memory_size(inputs.meeting.device);
  if (!of_gpu) { return std::nullopt; }
  const auto adapter = run.checkpoint ? run.checkpoint : inputs.options.initial_adapter;
  return ask_plan(libraries::front_program(), plan_arguments(inputs, adapter, *of_gpu));
}

/// One line of rank 0's GPU, before the weights are read.
void tell_plan(const TrainingInputs& inputs, const BegunRun& run, const distributed::ProcessGroup& group) {
  if (!group.is_first()) { return; }
  if (const auto planned = planned_memory(inputs, run)) {
    log::emit(planned->fits() ? log::Level::news : log::Level::warning, describe(*planned));
  }
}

/// The lines of the Python tool, of rank 0's GPU. The count begins anew.
void print_memory_peak(const char* phase, at::Device device, const distributed::ProcessGroup& group) {
  const auto peak = training::memory_peak(device);
  training::reset_memory_peak(device);
  if (!peak || !group.is_first()) { return; }
  std::cout << training::describe_memory_peak(phase, *peak) << std::flush;
}

void warn_of_unused_tensors(const model::MiDashengLM& model) {
  if (const auto unused = model.names.tell_unused()) {
    log::warning(*unused, ". A merged model has all tensors of its checkpoint");
  }
}

/// The base model with its adapters, which are fresh, the initial ones, or on rank 0 the checkpoint's.
std::shared_ptr<model::MiDashengLM> load_trained_model(const TrainingInputs& inputs, const BegunRun& run,
                                                       const distributed::ProcessGroup& group) {
  const training::TrainOptions& options = inputs.options;
  torch::manual_seed(options.seed);
  auto model = model::load_model(inputs.model_folder, inputs.dtype, inputs.meeting.device, inputs.quantize,
                                 group.is_first() ? loading_bar(stdout) : model::LoadProgress());
  adapter::attach_lora(*model, options.lora, options.seed);
  if (run.checkpoint && inputs.reads_checkpoint()) {
    adapter::load_lora(*model, *run.checkpoint / kAdapterWeights);
  } else if (!run.checkpoint && options.initial_adapter) {
    adapter::load_lora(*model, *options.initial_adapter / kAdapterWeights);
    adapter::load_running_statistics(*model, *options.initial_adapter);
  }
  if (group.is_first()) {
    warn_of_unused_tensors(*model);
    print_parameter_counts(*model);
  }
  print_memory_peak("loading", inputs.meeting.device, group);
  return model;
}

/// Removes from OUTPUT what the run's start says, and what a killed run had begun to remove.
void clear_output(const fs::path& output, const BegunRun& run, const distributed::ProcessGroup& group) {
  if (group.is_first() && fs::is_directory(output)) { training::checkpoint::finish_removals(output); }
  for (const fs::path& folder : run.start.remove) { remove_folder_atomically(folder); }
}

/// OUTPUT/run.yaml, with which the run can be repeated.
void write_configuration(const training::TrainOptions& options, const distributed::ProcessGroup& group) {
  if (!group.is_first()) { return; }
  fs::create_directories(options.output);
  write_text_atomically(options.output / "run.yaml", options.configuration);
}

struct TrainingEnd {
  bool done_before = false;  ///< the checkpoint was of the last step already
  int64_t step = 0;
  std::optional<fs::path> best;  ///< checkpoint that final/ is to be made from
  training::loop::RunRecord record;
};

/// --eval-generate. What cannot be asked is told before the weights are read.
std::optional<training::loop::AnswerEvaluation> make_answer_evaluation(const TrainingInputs& inputs) {
  const training::TrainOptions& options = inputs.options;
  if (!inputs.eval_data || !options.eval_generate) { return std::nullopt; }
  const batch::BatchOptions batches{.batch_size = options.eval_batch_size.value_or(options.batch_size),
                                    .skip_bad_samples = options.skip_bad_samples};
  return std::optional<training::loop::AnswerEvaluation>(std::in_place, inputs.model_folder, *inputs.eval_data,
                                                         *options.eval_generate, batches, options.seed);
}

TrainingEnd train_model(const TrainingInputs& inputs, const BegunRun& run, const std::vector<std::string>& agents,
                        const training::loop::AnswerEvaluation* answers, model::MiDashengLM& model,
                        distributed::ProcessGroup& group, process::ProgressSender& launcher) {
  training::loop::Trainer trainer(
      {.options = inputs.options,
       .base_model = inputs.base_model,
       .model = model,
       .train_data = *inputs.train_data,
       .eval_data = inputs.eval_data ? &*inputs.eval_data : nullptr,
       .group = group,
       .pad_token_id = inputs.pad_token_id,
       .checkpoint = run.checkpoint,
       .agents = agents,
       .identity = run.identity,
       .superseded = run.start.superseded,
       .facts = group.is_first() ? run_facts(inputs, group, run.identity) : std::vector<reports::page::FactTable>(),
       .restarted = run.start.restarted,
       .launcher = &launcher,
       .token_batches = inputs.token_batches,
       .answers = answers,
       .command_to_go_on = process::command_to_go_on(process::started_by())});
  const bool done_before = trainer.nothing_left();
  if (!done_before) {
    write_configuration(inputs.options, group);
    trainer.train();
  }
  return {.done_before = done_before,
          .step = trainer.step(),
          .best = trainer.best_checkpoint(),
          .record = trainer.record()};
}

/// Whether a run of which nothing was left to do leaves final/ as it is, which is told.
bool leaves_final(const training::TrainOptions& options, const training::checkpoint::RunStart& start,
                  int64_t last_step) {
  const fs::path folder = options.output / "final";
  const training::checkpoint::FinalOrigin origin{
      .run = start.checkpoint ? start.checkpoint->identity.run : std::string(), .step = last_step};
  if (!training::checkpoint::final_is_there(folder, origin, start.restarted)) { return false; }
  log::news("nothing is left to do: step ", last_step, " was the last one. ", folder.string(),
            " stays as it is; without it, this command would write it anew");
  return true;
}

void load_best(model::MiDashengLM& model, const fs::path& checkpoint) {
  log::news("final/ is made from ", checkpoint.string(), ", whose evaluation was the best");
  adapter::load_lora(model, checkpoint / kAdapterWeights);
  adapter::load_running_statistics(model, checkpoint);
}

void write_final(const TrainingInputs& inputs, const BegunRun& run, const std::shared_ptr<model::MiDashengLM>& model,
                 int64_t last_step) {
  const training::TrainOptions& options = inputs.options;
  const auto to_save = options.quantization && options.merge_lora
                           ? adapter::unquantized_copy(*model, options.lora, inputs.model_folder)
                           : model;
  const fs::path folder =
      training::checkpoint::save_final(options.output, *to_save, options.lora, inputs.base_model, options.merge_lora,
                                       {.run = run.identity.run, .step = last_step});
  std::cout << "saved " << folder.string() << std::endl;
}

/// The whole training, from what is read without the other ranks on.
void train_in(distributed::ProcessGroup& group, TrainingInputs& inputs, process::ProgressSender& launcher) {
  using Section = process::ProgressSender::Section;
  const double timeout = std::chrono::duration<double>(inputs.options.ddp_timeout).count();
  {
    const Section section(launcher, "reading the data", std::nullopt);
    open_data(inputs, group);
  }
  const auto answers = make_answer_evaluation(inputs);
  group.require_same(training_facts(inputs));
  group.connect();
  announce(group, inputs.meeting);

  const std::vector<std::string> agents = group.gather("agents", training::checkpoint::launcher_agent());
  const BegunRun run = begin_run(inputs, group, agents);
  tell_plan(inputs, run, group);
  std::shared_ptr<model::MiDashengLM> model;
  TrainingEnd end{};
  try {
    tensors::explain_memory("loading the model", training::loop::kMemoryAdvice, [&] {
      const Section section(launcher, "loading the model", timeout);
      model = load_trained_model(inputs, run, group);
    });
    clear_output(inputs.options.output, run, group);
    end = train_model(inputs, run, agents, answers ? &*answers : nullptr, *model, group, launcher);
  } catch (const tensors::OutOfMemory& error) {
    const auto planned = planned_memory(inputs, run);
    if (!planned) { throw; }
    throw Error(error.problem(), advice_on_memory(*planned));
  }
  print_memory_peak("training", inputs.meeting.device, group);
  const Section section(launcher, "writing the model", timeout);
  if (group.is_first() && !(end.done_before && leaves_final(inputs.options, run.start, end.step))) {
    if (end.best) { load_best(*model, *end.best); }
    write_final(inputs, run, model, end.step);
    tell_end(inputs, end.record);
  }
  // A rank is done when the job is: where rank 0 cannot write the last files, all start again from the last checkpoint,
  // which a launcher whose workers have ended well would not do.
  group.leave(distributed::ProcessGroup::Patience::timeout);
}

/// Throws the exception that is handled again, when it can be told who is to blame: another rank whose connection broke
/// before the first step, or this one, whose error is in the launcher's file before its own connections end, which is
/// another error elsewhere.
[[noreturn]] void pass_on(const distributed::ProcessGroup& group) {
  try {
    throw;
  } catch (const distributed::PeersLost&) { throw; } catch (const Error& error) {
    process::write_error_file(error.what());
    throw;
  } catch (const std::exception& error) {
    if (const auto lost = group.explain(error)) { throw distributed::PeersLost(*lost); }
    const auto* const of_torch = dynamic_cast<const c10::Error*>(&error);  // whose what() has a stack
    process::write_error_file(of_torch ? of_torch->what_without_backtrace() : describe_exception(error));
    throw;
  }
}

}  // namespace

int run_train(const std::vector<std::string>& arguments) {
  if (cli::asks_for_help(arguments)) {
    std::cout << training::train_help();
    return 0;
  }
  const training::TrainOptions options = training::parse_train_options(arguments);
  if (options.prints_config) {
    std::cout << options.configuration;
    require_written_output();
    return 0;
  }
  process::ProgressSender launcher(std::getenv("MDL_PROGRESS"));
  TrainingInputs inputs = read_training_inputs(options);
  distributed::ProcessGroup group = join_ranks(inputs);
  try {
    train_in(group, inputs, launcher);
  } catch (const std::exception&) { pass_on(group); }
  return 0;
}

}  // namespace mdl::worker
