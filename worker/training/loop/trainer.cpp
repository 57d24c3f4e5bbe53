#include "worker/training/loop/trainer.hpp"

#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>

#include "common/error.hpp"
#include "common/exception_text.hpp"
#include "common/log.hpp"
#include "common/str_cat.hpp"
#include "worker/adapter/running_statistics.hpp"
#include "worker/dataset/parallel.hpp"
#include "worker/training/checkpoint/run_checkpoint.hpp"
#include "worker/training/checkpoint/training_args.hpp"
#include "worker/training/loop/memory_report.hpp"
#include "worker/training/loop/step_faults.hpp"

namespace mdl::worker::training::loop {
namespace {

using Clock = std::chrono::steady_clock;

/// With so many steps one after the other left out it is not the samples that are bad.
constexpr int64_t kMostStepsLeftOut = 10;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

batch::BatchOptions batch_options(const TrainingRun& run, int64_t batch_size) {
  return {.batch_size = batch_size,
          .pad_token_id = run.pad_token_id,
          .audio_dtype = run.model.dtype(),
          .skip_bad_samples = run.options.skip_bad_samples,
          .accumulation_steps = run.options.eval_accumulation_steps.value_or(0)};
}

/// num_train_epochs of trainer_state.json.
int64_t epochs_begun(const TrainOptions& options, const data::EpochSchedule& schedule) {
  if (!options.max_steps) { return static_cast<int64_t>(std::ceil(options.epochs)); }
  const int64_t of_epoch = std::max<int64_t>(1, schedule.rest(schedule.order({})).steps);
  return (*options.max_steps + of_epoch - 1) / of_epoch;
}

data::DataShape shape_of(const TrainingRun& run) {
  return {.rows = run.train_data.size(),
          .batch_size = run.options.batch_size,
          .world_size = run.group.world_size(),
          .accumulation_steps = run.options.accumulation_steps,
          .batch_tokens = run.options.batch_tokens.value_or(0)};
}

data::EpochSchedule schedule_of(const TrainingRun& run) {
  return {shape_of(run),
          {.rows = run.train_data.part_sizes(), .weights = run.options.train_datasets.weights},
          run.options.seed,
          run.token_batches};
}

std::vector<at::Tensor> tensors_of(const tensors::NamedTensors& named) {
  std::vector<at::Tensor> tensors;
  for (const auto& [name, tensor] : named) { tensors.push_back(tensor); }
  return tensors;
}

}  // namespace

Trainer::Trainer(const TrainingRun& run)
    : run_(run),
      device_(run.model.device()),
      train_batches_(batch_options(run, run.options.batch_size)),
      eval_batches_(batch_options(run, run.options.eval_batch_size.value_or(run.options.batch_size))),
      parameters_(tensors_of(adapter::lora_parameters(run.model))),
      data_parallel_(run.group, adapter::lora_parameters(run.model)),
      optimizer_(parameters_, run.options.optimizer),
      schedule_(schedule_of(run)),
      clock_(run.model.device()),
      launcher_(run.launcher ? *run.launcher : nobody_) {
  const TrainOptions& options = run.options;
  data_.shape = shape_of(run);
  data_.epochs = options.epochs;
  data_.max_steps = options.max_steps;
  data_.seed = options.seed;
  data_.weights = options.train_datasets.shares();
  data_.metric = options.best_model.metric.value_or(data_.metric);
  data_.agents = run.agents;
  rate_ = {.base = options.learning_rate, .scheduler = options.lr_scheduler};
  if (run.checkpoint) {
    resume();
  } else {
    state_.total_steps = steps_left();
    rate_.total = static_cast<double>(state_.total_steps);
  }
  rate_.warmup_steps = options.warmup_steps.resolve(std::llround(rate_.total));
  state_.epochs = epochs_begun(options, schedule_);
  state_.batch_size = options.batch_size;
  state_.best_options = options.best_model;
  state_.logging_steps = options.logging_steps.resolve(state_.total_steps);
  state_.eval_steps = options.eval_steps.resolve(state_.total_steps);
  state_.save_steps = options.save_steps.resolve(state_.total_steps);
  progress_.emplace(run.group.is_first(), state_.total_steps, first_step_);
}

int64_t Trainer::steps_left() const {
  const auto& max_steps = run_.options.max_steps;
  return max_steps ? std::max<int64_t>(0, *max_steps - state_.step)
                   : schedule_.steps_left(data_.position, run_.options.epochs);
}

void Trainer::train() {
  const auto start = Clock::now();
  run_.model.use_running_statistics(run_.options.batch_norm == BatchNorm::frozen);
  run_.model.set_gradient_checkpointing(run_.options.gradient_checkpointing);
  run_.model.train();
  remember_step();
  run_.group.when_stuck([this](const distributed::PeersLost& lost) { end_stuck(lost); });
  try {
    if (run_.group.is_first()) {
      reports_.emplace(run_.options.report_to, run_.options.output, checkpoint::settings_text(run_.options),
                       state_.log_history);
      begin_report();
    }
    while (!state_.ended()) { train_epoch(); }
    tell_early_stop();
    if (!has_made_step()) { reject_empty_run(steps_left_out_, run_.train_data); }
  } catch (const distributed::PeersLost& lost) { end_without_peers(lost); } catch (const Error&) {
    save_alone();
    throw;
  } catch (const std::exception& error) {
    if (const auto lost = run_.group.explain(error)) { end_without_peers(*lost); }
    save_alone();
    throw;
  }
  finish(seconds_since(start));
  run_.group.when_stuck({});
}

void Trainer::train_epoch() {
  const data::DataPosition begin = data_.position;
  const data::EpochOrder order = schedule_.order(begin);
  const data::EpochRest rest = schedule_.rest(order);
  const int64_t accumulation = run_.options.accumulation_steps;
  const auto epoch = static_cast<double>(begin.epoch);
  const double done_before = begin.rows_taken == 0 ? 0.0 : std::clamp(state_.epoch - epoch, 0.0, 1.0);
  const int64_t steps_before = state_.step;
  const int64_t end = std::min(rest.steps, state_.total_steps - steps_before);
  const auto read = [&](int64_t step) {
    data::StepData data;
    explain_failures(steps_before + step + 1, "reading the data", [&] {
      data = data::read_step(run_.train_data, order, run_.group.rank(), step * accumulation,
                             data::micro_batches(rest, accumulation, step), train_batches_);
    });
    PackedStep packed;
    explain_failures(steps_before + step + 1, describe_rows(data.rows, run_.train_data),
                     [&] { packed = pack_step(std::move(data), run_.model); });
    return packed;
  };
  dataset::OrderedPipeline<PackedStep> source(static_cast<std::size_t>(std::max<int64_t>(0, end)), 1, 0, read);
  for (int64_t step = 0; step < end; ++step) {
    clock_.begin();  // a rank whose data come late is slow, too
    PackedStep packed = source.take();
    const int64_t batches_done = step * accumulation + static_cast<int64_t>(packed.data.rows.size());
    const double part = static_cast<double>(batches_done) / static_cast<double>(rest.batches);
    const double epoch_then = batches_done == rest.batches ? epoch + 1 : epoch + done_before + (1 - done_before) * part;
    train_step(packed, epoch_then, schedule_.after(begin, order, batches_done));
    log::debug("step ", state_.step, " is done; rank ", run_.group.rank(), ": ",
               describe_rows(packed.data.rows, run_.train_data));
    stop_if_agreed();
    if (state_.ended()) { return; }
  }
}

void Trainer::train_step(PackedStep& step, double epoch, const data::DataPosition& position) {
  const data::StepData& data = step.data;
  count_bad_samples(data);
  const std::string rows = describe_rows(data.rows, run_.train_data);
  if (data.label_tokens == 0) {
    if (!run_.options.skip_bad_samples) {
      throw Error(str_cat("step ", state_.step + 1, ", ", rows, ": no row of the batch has a label token"),
                  "Take such rows out of the data, or leave them out with --skip-bad-samples true.");
    }
    ++steps_left_out_;
    return finish_step(std::nullopt, epoch, position);
  }
  StepTotals::Values totals;
  explain_failures(state_.step + 1, rows, [&] { totals = accumulate_gradients(step); });
  const double loss = totals.loss / static_cast<double>(data.label_tokens), norm = totals.norm;
  if (!std::isfinite(loss) || !std::isfinite(norm)) {
    leave_out_step(data, loss, norm);
    return finish_step(std::nullopt, epoch, position);
  }
  steps_left_out_in_a_row_ = 0;
  const double learning_rate = rate_.at(state_.step);
  optimizer_.step(learning_rate);
  samples_done_ += data.samples;
  for (const auto& rows_of_batch : data.rows) { own_samples_done_ += std::ssize(rows_of_batch); }
  loss_total_ += loss;
  finish_step(StepResult{.loss = loss, .grad_norm = norm, .learning_rate = learning_rate}, epoch, position);
}

StepTotals::Values Trainer::accumulate_gradients(PackedStep& step) {
  const auto together = run_.group.expect(str_cat("step ", state_.step + 1));
  data_parallel_.zero_gradients();
  // Ranks' gradients are averaged; times world_size it becomes the sum over all label tokens that is wanted.
  const double scale = static_cast<double>(run_.group.world_size()) / static_cast<double>(step.data.label_tokens);
  StepTotals totals(device_);
  for (size_t i = 0; i < step.batches.size(); ++i) {
    const bool last = i + 1 == step.batches.size();
    const model::PackedBatch batch = step.batches[i].to(device_);  // leaves the device before the next one comes
    data_parallel_.begin_forward(last);
    const at::Tensor sum = run_.model.loss_sum(batch);
    totals.add_loss(sum);
    const at::Tensor loss = sum * scale;
    data_parallel_.begin_backward(loss, last, [this] { clock_.wait(); });
    loss.backward();
  }
  if (stop_.requested() != 0) { totals.ask_to_stop(); }
  totals.sum(run_.group);
  clock_.work();
  totals.set_norm(clip_gradients(parameters_, run_.options.max_grad_norm));
  clock_.wait();
  const StepTotals::Values values = totals.fetch(run_.group);
  clock_.work();
  stop_agreed_ = values.stop;
  return values;
}

void Trainer::leave_out_step(const data::StepData& data, double loss, double norm) {
  const auto together = run_.group.expect(str_cat("finding the faults of step ", state_.step + 1));
  restore_statistics();
  std::string faults;
  const std::string mine = rows_without_a_loss(run_.model, data, run_.train_data, train_batches_);
  for (const std::string& fault :
       run_.group.share_all(str_cat("faults/", state_.step + 1), mine, distributed::ProcessGroup::Patience::timeout)) {
    if (!fault.empty()) { faults += (faults.empty() ? "" : "; ") + fault; }
  }
  const std::string what = str_cat("step ", state_.step + 1, ": the loss is ", loss, " and the gradient norm ", norm,
                                   describe_causes(run_.model, faults, describe_rows(data.rows, run_.train_data)));
  if (!run_.options.skip_bad_samples || ++steps_left_out_in_a_row_ > kMostStepsLeftOut) {
    throw Error(str_cat(what, "; training cannot go on"), advice_on_causes(run_.model, run_.options.skip_bad_samples));
  }
  ++steps_left_out_;
  if (run_.group.is_first()) { log::warning(what, "; the step is left out"); }
}

void Trainer::count_bad_samples(const data::StepData& data) {
  samples_left_out_ += static_cast<int64_t>(data.left_out.size());
  if (!run_.group.is_first()) { return; }
  for (const std::string& fault : data.left_out) { log::warning("step ", state_.step + 1, ": left out ", fault); }
  if (data.unlabelled.empty() || told_of_unlabelled_) { return; }
  told_of_unlabelled_ = true;
  log::warning("step ", state_.step + 1, ": ", run_.train_data.describe(data.unlabelled.front()),
               " has no label token and teaches nothing; further such rows are not told of");
}

void Trainer::remember_step() {
  const torch::NoGradGuard no_grad;
  statistics_.clear();
  for (const at::Tensor& tensor : tensors_of(adapter::running_statistics(run_.model))) {
    statistics_.push_back(tensor.clone());
  }
  // Without dropout nothing draws, so that the first state stays the state.
  if (rng_.empty() || run_.options.lora.dropout > 0) {
    rng_ = checkpoint::to_text(checkpoint::current_rng_state(device_));
  }
}

void Trainer::restore_statistics() {
  const torch::NoGradGuard no_grad;
  const auto tensors = tensors_of(adapter::running_statistics(run_.model));
  for (size_t i = 0; i < tensors.size(); ++i) { at::Tensor(tensors[i]).copy_(statistics_[i]); }
}

void Trainer::stop_if_agreed() {
  if (run_.group.is_alone() && stop_.requested() != 0) { stop_agreed_ = true; }
  if (!stop_agreed_) { return; }
  if (has_made_step() && state_.step > last_saved_) { save(); }
  const int signal = stop_.requested() != 0 ? stop_.requested() : SIGTERM;
  if (run_.group.is_first()) {
    log::news("stopped by SIG", ::sigabbrev_np(signal), " after step ", state_.step, " of ", state_.total_steps, "; ",
              has_made_step()
                  ? str_cat("checkpoint-", last_saved_, " holds it: --resume-from-checkpoint true goes on from there")
                  : "no step was made, all were left out");
    tell_how_to_go_on();
  }
  throw process::StoppedBySignal{signal};
}

}  // namespace mdl::worker::training::loop
