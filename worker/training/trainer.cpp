#include "worker/training/trainer.hpp"

#include <torch/torch.h>

#include <chrono>
#include <cmath>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/log.hpp"
#include "common/str_cat.hpp"
#include "worker/data/sampler.hpp"
#include "worker/model/pretrained.hpp"
#include "worker/training/checkpoint.hpp"
#include "worker/training/optimizer_file.hpp"
#include "worker/training/running_statistics.hpp"

namespace mdl {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr double kMaxGradientNorm = 1.0;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Rounded as the Trainer rounds what it reports.
double rounded(double value, double places) {
  return std::round(value * std::pow(10, places)) / std::pow(10, places);
}

/// runtime, samples and steps per second, under the Trainer's names.
Metrics speed(const std::string& prefix, double seconds, double samples, double steps) {
  return {{prefix + "_runtime", rounded(seconds, 4)},
          {prefix + "_samples_per_second", rounded(samples / seconds, 3)},
          {prefix + "_steps_per_second", rounded(steps / seconds, 3)}};
}

BatchOptions batch_options(const TrainingRun& run, int64_t batch_size) {
  return {.batch_size = batch_size, .pad_token_id = run.pad_token_id, .audio_dtype = run.model.dtype()};
}

std::vector<at::Tensor> tensors_of(const NamedTensors& named) {
  std::vector<at::Tensor> tensors;
  for (const auto& [name, tensor] : named) tensors.push_back(tensor);
  return tensors;
}

std::string list_rows(const StepData& data) {
  std::string text;
  for (const auto& rows : data.rows) {
    for (const int64_t row : rows) text += str_cat(text.empty() ? "" : ", ", row);
  }
  return text;
}

}  // namespace

Trainer::Trainer(const TrainingRun& run)
    : run_(run),
      device_(run.model.device()),
      train_batches_(batch_options(run, run.options.batch_size)),
      eval_batches_(batch_options(run, run.options.eval_batch_size.value_or(run.options.batch_size))),
      parameters_(tensors_of(lora_parameters(run.model))),
      data_parallel_(run.group, lora_parameters(run.model)),
      optimizer_(parameters_),
      plan_(plan_steps(batches_per_rank(run.train_data.size(), run.options.batch_size, run.group.world_size()),
                       run.options.accumulation_steps, run.options.epochs)),
      progress_(run.group.is_first(), plan_.total_steps),
      base_rate_(run.options.learning_rate) {
  state_.total_steps = plan_.total_steps;
  state_.epochs = plan_.epochs;
  state_.batch_size = run.options.batch_size;
  state_.eval_steps = run.options.eval_steps.resolve(plan_.total_steps);
  state_.save_steps = run.options.save_steps.resolve(plan_.total_steps);
  if (run.checkpoint) resume();
}

void Trainer::resume() {
  const fs::path& folder = *run_.checkpoint;
  std::string where;
  if (run_.group.is_first()) {
    load_optimizer(folder / "optimizer.pt", optimizer_.state());
    const nlohmann::json text = {{"state", read_text(folder / "trainer_state.json")},
                                 {"base_rate", load_base_rate(folder / "scheduler.pt")}};
    where = text.dump();
  }
  const auto shared = nlohmann::json::parse(run_.group.share("resume", where));
  state_.restore(shared.at("state").get<std::string>());
  base_rate_ = shared.at("base_rate").get<double>();  // as the Trainer: the schedule goes on, whatever --lr says
  {
    const torch::NoGradGuard no_grad;
    if (run_.group.is_first() && fs::exists(folder / kRunningStatisticsFile)) {
      load_running_statistics(run_.model, folder / kRunningStatisticsFile);
    }
    run_.group.broadcast(tensors_of(running_statistics(run_.model)));
    AdamW::State& state = optimizer_.state();
    for (const auto* tensors : {&state.steps, &state.first_moments, &state.second_moments}) {
      run_.group.broadcast(*tensors);
    }
  }
  first_step_ = last_saved_ = state_.step;
  if (run_.group.is_first()) {
    log::warning("resuming from ", folder.string(), ": step ", state_.step, " of ", plan_.total_steps,
                 base_rate_ == run_.options.learning_rate ? "" : str_cat("; learning rate ", base_rate_, " as there"));
  }
}

void Trainer::train() {
  const auto start = Clock::now();
  run_.model.use_running_statistics(run_.options.batch_norm == BatchNorm::frozen);
  run_.model.set_gradient_checkpointing(run_.options.gradient_checkpointing);
  run_.model.train();
  try {
    for (int64_t epoch = state_.step / plan_.steps_per_epoch; state_.step < plan_.total_steps; ++epoch) {
      train_epoch(epoch, state_.step % plan_.steps_per_epoch);
    }
  } catch (const Error&) {
    throw;
  } catch (const std::exception&) {
    // A launcher that stops a run stops all workers, each at its own moment; the others' connections then break here.
    stop_if_asked();
    throw;
  }
  finish(seconds_since(start));
}

void Trainer::train_epoch(int64_t epoch, int64_t first_step) {
  const EpochOrder order(run_.train_data.size(), run_.options.seed, epoch, run_.options.batch_size,
                         run_.group.world_size());
  const int64_t accumulation = run_.options.accumulation_steps;
  const int64_t end = std::min(plan_.steps_per_epoch, first_step + plan_.total_steps - state_.step);
  const auto read = [&](int64_t step) {
    StepData data = read_step(run_.train_data, order, run_.group.rank(), step * accumulation,
                              micro_batches(plan_, accumulation, step), train_batches_);
    if (device_.is_cuda()) {
      for (Batch& batch : data.batches) batch.input_values = batch.input_values.pin_memory();
    }
    return data;
  };
  Prefetcher<StepData> source(end, read, first_step);
  for (int64_t step = first_step; step < end; ++step) {
    StepData data = *source.next();
    const int64_t batches_done = step * accumulation + static_cast<int64_t>(data.batches.size());
    state_.epoch =
        static_cast<double>(epoch) + static_cast<double>(batches_done) / static_cast<double>(plan_.batches_per_epoch);
    train_step(std::move(data));
    stop_if_asked();
  }
}

void Trainer::train_step(StepData data) {
  const double learning_rate =
      linear_learning_rate(base_rate_, state_.step, run_.options.warmup_steps, plan_.total_steps);
  if (data.label_tokens == 0) {
    throw Error(str_cat("step ", state_.step + 1, ": no row of the batch has a label token (rows ", list_rows(data),
                        " of ", run_.train_data.path().string(), ")"));
  }
  double loss = 0;
  try {
    loss = accumulate_gradients(data);
  } catch (const Error& error) {
    throw Error(str_cat("step ", state_.step + 1, ", rows ", list_rows(data), " of ", run_.train_data.path().string(),
                        ": ", error.what()));
  }
  const double norm = clip_gradients(parameters_, kMaxGradientNorm);
  if (!std::isfinite(loss) || !std::isfinite(norm)) {
    throw Error(str_cat("step ", state_.step + 1, ": the loss is ", loss, " and the gradient norm ", norm,
                        "; training cannot go on"),
                "A lower --lr or a longer --warmup-steps may help. Checkpoints of earlier steps are kept.");
  }
  optimizer_.step(learning_rate);
  samples_done_ += data.samples;
  ++state_.step;
  finish_step(loss, norm, learning_rate);
}

double Trainer::accumulate_gradients(StepData& data) {
  data_parallel_.zero_gradients();
  // Ranks' gradients are averaged; times world_size it becomes the sum over all label tokens that is wanted.
  const double scale = static_cast<double>(run_.group.world_size()) / static_cast<double>(data.label_tokens);
  at::Tensor loss_sum = torch::zeros({}, torch::dtype(at::kDouble).device(device_));
  ProcessGroup::PendingSum pending(nullptr);
  for (size_t i = 0; i < data.batches.size(); ++i) {
    const bool last = i + 1 == data.batches.size();
    Batch& batch = data.batches[i];
    batch.input_values = batch.input_values.to(device_, /*non_blocking=*/true);
    data_parallel_.begin_forward(last);
    const at::Tensor sum = run_.model.loss_sum(batch);
    loss_sum += sum.detach();
    if (last) pending = run_.group.start_sum(loss_sum);
    const at::Tensor loss = sum * scale;
    data_parallel_.begin_backward(loss, last);
    loss.backward();
  }
  pending.wait();
  return loss_sum.item<double>() / static_cast<double>(data.label_tokens);
}

void Trainer::finish_step(double loss, double norm, double learning_rate) {
  loss_total_ += loss;
  const Metrics metrics = {
      {"loss", loss}, {"grad_norm", norm}, {"learning_rate", learning_rate}, {"epoch", state_.epoch}};
  state_.log(metrics);
  progress_.step(state_.step, samples_done_, metrics);
  if (run_.eval_data && is_due(state_.step, state_.eval_steps, plan_.total_steps)) run_evaluation();
  if (is_due(state_.step, state_.save_steps, plan_.total_steps)) save();
}

void Trainer::run_evaluation() {
  // In training each rank's running statistics follow its own batches; rank 0's count, as under
  // DistributedDataParallel.
  {
    const torch::NoGradGuard no_grad;
    run_.group.broadcast(tensors_of(running_statistics(run_.model)));
  }
  const auto start = Clock::now();
  const EvaluationResult result = evaluate(run_.model, *run_.eval_data, eval_batches_, run_.group);
  const double seconds = seconds_since(start);
  Metrics metrics = {{"eval_loss", result.loss}};
  for (const auto& metric :
       speed("eval", seconds, static_cast<double>(result.samples), static_cast<double>(result.batches))) {
    metrics.push_back(metric);
  }
  metrics.emplace_back("epoch", state_.epoch);
  state_.log(metrics);
  progress_.line(metrics);
}

void Trainer::save() {
  if (!run_.group.is_first()) return;
  const double next_rate = linear_learning_rate(base_rate_, state_.step, run_.options.warmup_steps, plan_.total_steps);
  write_folder_atomically(checkpoint_folder(run_.options.output, state_.step), [&](const fs::path& folder) {
    save_running_statistics(run_.model, folder / kRunningStatisticsFile);
    save_adapter(run_.model, run_.options.lora, run_.model_folder, folder);
    save_optimizer(folder / "optimizer.pt", optimizer_.state(), base_rate_, next_rate);
    save_scheduler(folder / "scheduler.pt", state_.step, base_rate_, next_rate);
    write_text_atomically(folder / "trainer_state.json", state_.to_json());
  });
  last_saved_ = state_.step;
  if (run_.options.save_total_limit) remove_old_checkpoints(run_.options.output, *run_.options.save_total_limit);
}

void Trainer::stop_if_asked() {
  const int signal = stop_.requested();
  if (signal == 0) return;
  if (run_.group.is_first()) {
    if (state_.step > last_saved_) save();
    log::warning("stopped by signal ", signal, " after step ", state_.step, " of ", plan_.total_steps,
                 last_saved_ > 0 ? str_cat("; checkpoint-", last_saved_, " holds it") : "");
  }
  throw StoppedBySignal{signal};
}

void Trainer::finish(double seconds) {
  const auto steps = static_cast<double>(plan_.total_steps - first_step_);  // of this process
  const double share = steps / static_cast<double>(plan_.total_steps);
  const double samples = static_cast<double>(run_.train_data.size()) * run_.options.epochs * share;
  Metrics metrics = speed("train", seconds, samples, steps);
  metrics.emplace_back("train_loss", loss_total_ / std::max(steps, 1.0));
  metrics.emplace_back("epoch", state_.epoch);
  state_.log(metrics);
  progress_.line(metrics);
}

}  // namespace mdl
