// What a Trainer writes and takes up again.
#include <torch/torch.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "common/error.hpp"
#include "common/exception_text.hpp"
#include "common/log.hpp"
#include "common/str_cat.hpp"
#include "worker/process/failure_report.hpp"
#include "worker/training/checkpoint/checkpoint.hpp"
#include "worker/training/checkpoint/run_checkpoint.hpp"
#include "worker/training/loop/living_stream.hpp"
#include "worker/training/loop/trainer.hpp"

namespace mdl::worker::training::loop {

void Trainer::resume() {
  const std::filesystem::path& folder = *run_.checkpoint;
  const checkpoint::ResumedRun resumed =
      checkpoint::read_checkpoint(folder, run_.model, optimizer_.state(), run_.group);
  state_ = resumed.state;
  first_step_ = last_saved_ = state_.step;
  const auto& saved = resumed.progress;
  if (saved) {
    data_.position = saved->position;
  } else {
    data::DataShape shape = data_.shape;
    shape.world_size = resumed.world_size;
    if (resumed.batch_size > 0) { shape.batch_size = resumed.batch_size; }
    data_.position = data::position_after(shape, state_.step);
  }
  const auto& max_steps = run_.options.max_steps;
  const int64_t left = steps_left();
  state_.total_steps = state_.step + left;

  rate_.base = resumed.base_rate;  // as the Trainer: the schedule goes on, whatever --lr says
  checkpoint::set_learning_rate(run_.identity, rate_.base);
  rate_.first_step = state_.step;
  const bool same_length = saved && saved->max_steps == max_steps && (max_steps || saved->epochs == data_.epochs);
  const bool same_run = same_length && saved->shape.rows == data_.shape.rows;
  rate_.position = same_run ? saved->schedule_position : static_cast<double>(state_.step);
  rate_.total = same_run ? saved->schedule_total : static_cast<double>(state_.total_steps);
  if (left > 0) { rate_.per_step = (rate_.total - rate_.position) / static_cast<double>(left); }

  if (resumed.rng && resumed.world_size == data_.shape.world_size) {
    checkpoint::set_rng_state(*resumed.rng, device_);
  } else if (run_.options.lora.dropout > 0) {  // no stream to go on with: a new one, not that of the first steps
    torch::manual_seed(run_.options.seed + static_cast<uint64_t>(state_.step + run_.group.rank()));
  }
  const bool other_metric = state_.best.metric && data_.metric != (saved ? saved->metric : "eval_loss");
  if (other_metric) { state_.best = {}; }  // numbers that cannot be compared
  if (!run_.group.is_first()) { return; }
  if (other_metric) { log::news("the best evaluation so far was not chosen by ", data_.metric, ": it counts no more"); }
  find_best_checkpoint();
  log::news("resuming from ", folder.string(), ": step ", state_.step, " of ", state_.total_steps, ", ",
            data_.position.rows_taken, " of ", data_.shape.rows, " rows of epoch ", data_.position.epoch + 1,
            " are done",
            resumed.world_size == data_.shape.world_size
                ? ""
                : str_cat("; written by ", resumed.world_size, " processes, now ", data_.shape.world_size),
            rate_.base == run_.options.learning_rate ? "" : str_cat("; learning rate ", rate_.base, " as there"));
  if (saved && !data_.has_order_of(*saved)) {
    log::warning("the checkpoint was written with ", saved->shape.rows, " rows",
                 saved->weights == "none" ? "" : str_cat(" (weights ", saved->weights, ")"),
                 saved->shape.batch_tokens > 0 ? str_cat(", --batch-tokens ", saved->shape.batch_tokens) : "",
                 " and --seed ", saved->seed,
                 ": the order of the samples is another one now, so that some come twice in this epoch",
                 run_.options.eval_split ? ", and rows of --eval-split may have been trained on" : "");
  }
}

void Trainer::find_best_checkpoint() {
  BestModelState& best = state_.best;
  if (!best.folder || std::filesystem::is_directory(*best.folder)) { return; }
  const std::filesystem::path here =
      checkpoint::checkpoint_folder(run_.options.output, best.step.value_or(0));  // the run's folder was moved
  if (best.step && std::filesystem::is_directory(here)) {
    best.folder = here.string();
    return;
  }
  log::warning("the checkpoint of the best evaluation so far, ", *best.folder, ", is not there any more");
  best.folder.reset();
}

std::optional<std::filesystem::path> Trainer::best_checkpoint() const {
  if (!run_.options.best_model.load_at_end || !state_.best.folder) { return std::nullopt; }
  return std::filesystem::path(*state_.best.folder);
}

void Trainer::save() {
  const process::ProgressSender::Section section(launcher_, "checkpoint",
                                                 std::chrono::duration<double>(run_.options.ddp_timeout).count());
  std::vector<std::string> rng(static_cast<size_t>(run_.group.world_size()), rng_);
  if (run_.options.lora.dropout > 0) {  // ranks whose numbers nothing draws from need not be asked
    const auto together = run_.group.expect(str_cat("the checkpoint of step ", state_.step));
    rng = run_.group.gather(str_cat("rng/", state_.step), rng_, distributed::ProcessGroup::Patience::timeout);
  }
  saving_ = true;
  write(std::move(rng));
  saving_ = false;
}

void Trainer::end_without_peers(const distributed::PeersLost& lost) {
  save_alone();
  tell_how_to_go_on();
  if (stop_.requested() == 0) { throw lost; }
  // A launcher that stops a run stops all workers, each at its own moment; the others' connections then break here.
  process::report_failure(lost.what(), lost.exit_code());
  throw process::StoppedBySignal{stop_.requested()};
}

void Trainer::end_stuck(const distributed::PeersLost& lost) {
  save_alone();
  tell_how_to_go_on();
  const int status = process::report_failure(lost.what(), lost.exit_code());
  std::fflush(nullptr);
  if (const int signal = stop_.requested()) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
  std::_Exit(status);
}

void Trainer::save_alone() noexcept {
  const std::lock_guard lock(saving_alone_);
  // Not when it was the writing that failed.
  if (!run_.group.is_first() || saving_ || state_.step <= last_saved_ || !has_made_step()) { return; }
  try {
    const LivingStream stream(device_);
    restore_statistics();
    const auto ranks = static_cast<size_t>(run_.group.world_size());
    write(std::vector<std::string>(run_.options.lora.dropout > 0 ? 1 : ranks, rng_));
    log::news("checkpoint-", last_saved_, " holds the steps that were done");
  } catch (const std::exception& error) {
    log::error("the steps since checkpoint-", last_saved_, " are lost: ", as_error(error).problem());
  }
}

void Trainer::write(std::vector<std::string> rng) {
  if (run_.group.is_first()) {
    if (const auto best = state_.best.step) {
      const std::filesystem::path folder = checkpoint::checkpoint_folder(run_.options.output, *best);
      if (best == state_.step || std::filesystem::is_directory(folder)) { state_.best.folder = folder.string(); }
    }
    data_.schedule_position = rate_.position_of(state_.step);
    data_.schedule_total = rate_.total;
    checkpoint::write_checkpoint({.options = run_.options,
                                  .base_model = run_.base_model,
                                  .model = run_.model,
                                  .optimizer = optimizer_.state(),
                                  .state = state_,
                                  .progress = data_,
                                  .identity = run_.identity,
                                  .base_rate = rate_.base,
                                  .next_rate = rate_.at(state_.step),
                                  .rng = std::move(rng),
                                  .superseded = run_.superseded,
                                  .sidecar = report_ ? report_->sidecar() : std::string()});
    run_.superseded.clear();
  }
  last_saved_ = state_.step;
}

}  // namespace mdl::worker::training::loop
