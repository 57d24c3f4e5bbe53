// What a Trainer does between its steps: it logs, evaluates, and finds its end.
#include <torch/torch.h>

#include <chrono>

#include "common/log.hpp"
#include "common/str_cat.hpp"
#include "worker/adapter/running_statistics.hpp"
#include "worker/training/loop/memory_report.hpp"
#include "worker/training/loop/step_faults.hpp"
#include "worker/training/loop/trainer.hpp"

namespace mdl::worker::training::loop {
namespace {

using Clock = std::chrono::steady_clock;

std::vector<at::Tensor> statistics_of(model::MiDashengLM& model) {
  std::vector<at::Tensor> tensors;
  for (const auto& [name, tensor] : adapter::running_statistics(model)) { tensors.push_back(tensor); }
  return tensors;
}

/// How long an evaluation may take before somebody should look, where one has been seen.
std::optional<double> longest_section(const std::optional<double>& seen) {
  constexpr double kTimes = 10, kAtLeast = 60;
  return seen ? std::optional(std::max(kAtLeast, kTimes * *seen)) : std::nullopt;
}

}  // namespace

void Trainer::finish_step(const std::optional<StepResult>& result, double epoch, const data::DataPosition& position) {
  clock_.end();
  ++state_.step;
  state_.epoch = epoch;
  data_.position = position;
  remember_step();
  if (result) { unlogged_.add(*result); }
  tell_launcher(result);
  report_step();
  reports::Metrics metrics;
  if (state_.step % state_.logging_steps == 0 && unlogged_.steps > 0) {
    metrics = unlogged_.take();
    metrics.emplace_back("epoch", epoch);
    log(metrics);
  }
  progress_->step(state_.step, samples_done_, metrics);
  const StepEnd end{.step = state_.step, .total_steps = state_.total_steps, .epoch_ended = position.rows_taken == 0};
  const TrainOptions& options = run_.options;
  if (run_.eval_data && is_due(options.eval_strategy, end, state_.eval_steps)) { run_evaluation(); }
  if (has_made_step() && is_due(options.save_strategy, end, state_.save_steps)) { save(); }
  if (report_) { report_->begin_step(); }
}

void Trainer::tell_launcher(const std::optional<StepResult>& result) {
  process::ProgressSender::Step step{.step = state_.step,
                                     .total = state_.total_steps,
                                     .loss = result ? std::optional(result->loss) : std::nullopt,
                                     .samples = own_samples_done_,
                                     .own = clock_.own(),
                                     .waiting = clock_.waiting()};
  if (result && run_.group.is_first()) {  // they are the same on all ranks
    step.learning_rate = result->learning_rate;
    step.grad_norm = result->grad_norm;
  }
  launcher_.step(step);
}

void Trainer::log(const reports::Metrics& metrics) {
  state_.log(metrics);
  if (reports_) { reports_->log(metrics, state_.step); }
  if (report_) { report_->log(metrics, state_.step); }
}

void Trainer::run_evaluation() {
  const auto together = run_.group.expect(str_cat("the evaluation after step ", state_.step));
  const process::ProgressSender::Section section(launcher_, "evaluation", longest_section(longest_evaluation_));
  // In training each rank's running statistics follow its own batches; rank 0's count, as under
  // DistributedDataParallel.
  {
    const torch::NoGradGuard no_grad;
    run_.group.broadcast(statistics_of(run_.model));
  }
  const auto start = Clock::now();
  const auto& metric = run_.options.best_model.metric;
  EvaluationResult result;
  reports::Metrics metrics;
  explain_failures(state_.step, str_cat("evaluation on ", run_.eval_data->names()), [&] {
    result = evaluate(run_.model, *run_.eval_data, eval_batches_, run_.group, metric == "eval_token_accuracy");
    metrics.emplace_back("eval_loss", result.loss);
    if (result.token_accuracy) { metrics.emplace_back("eval_token_accuracy", *result.token_accuracy); }
    if (!run_.answers) { return; }
    for (const auto& [name, value] : run_.answers->evaluate(run_.model, run_.group)) {
      metrics.emplace_back(name, value);
    }
  });
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  longest_evaluation_ = std::max(seconds, longest_evaluation_.value_or(0));
  const auto chosen_by = std::ranges::find(metrics, metric.value_or("eval_loss"), &reports::Metrics::value_type::first);
  const double value = chosen_by == metrics.end() ? result.loss : chosen_by->second;
  for (const auto& speed :
       reports::speed("eval", seconds, static_cast<double>(result.samples), static_cast<double>(result.batches))) {
    metrics.push_back(speed);
  }
  metrics.emplace_back("epoch", state_.epoch);
  log(metrics);
  if (run_.group.is_first()) { launcher_.evaluated(result.loss); }
  progress_->line(metrics);
  take_evaluation(run_.options.best_model, state_.best, state_.step, value);
  tell_best_to_report();
}

void Trainer::tell_early_stop() {
  if (!run_.group.is_first() || state_.step >= state_.total_steps) { return; }
  log::news("stopped early after step ", state_.step, " of ", state_.total_steps, ": ",
            state_.best.evaluations_without_gain, " evaluations in a row were no better than ",
            *run_.options.best_model.metric, " ", reports::four_digits(*state_.best.metric), " of step ",
            *state_.best.step);
}

void Trainer::finish(double seconds) {
  const auto steps = static_cast<double>(state_.step - first_step_);  // of this process
  const double share = steps / static_cast<double>(std::max<int64_t>(state_.total_steps, 1));
  const double of_epochs = static_cast<double>(run_.train_data.size()) * run_.options.epochs * share;
  const data::DataShape& shape = data_.shape;
  const auto of_step = static_cast<double>(shape.batch_size * shape.world_size * shape.accumulation_steps);
  double samples = run_.options.max_steps ? steps * of_step : of_epochs;  // as the Trainer counts them
  if (run_.options.batch_tokens) { samples = static_cast<double>(samples_done_); }
  reports::Metrics metrics = reports::speed("train", seconds, samples, steps);
  metrics.emplace_back("train_loss", loss_total_ / std::max(steps - static_cast<double>(steps_left_out_), 1.0));
  metrics.emplace_back("epoch", state_.epoch);
  log(metrics);
  progress_->line(metrics);
  const auto together = run_.group.expect("the end of the training");
  if (report_) { page_ = report_->finish(); }
  report_memory(device_, run_.group, reports_ ? &*reports_ : nullptr, state_.step);
  if (run_.group.is_first() && run_.options.skip_bad_samples) {
    log::emit(samples_left_out_ + steps_left_out_ > 0 ? log::Level::warning : log::Level::news, samples_left_out_,
              " bad samples and ", steps_left_out_, " steps were left out");
  }
}

}  // namespace mdl::worker::training::loop
