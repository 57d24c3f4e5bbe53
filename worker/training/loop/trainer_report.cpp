// What a Trainer tells of its run: the report, and how it goes on.
#include <ctime>
#include <nlohmann/json.hpp>

#include "common/atomic_file.hpp"
#include "common/exception_text.hpp"
#include "common/log.hpp"
#include "common/str_cat.hpp"
#include "worker/reports/page/log_reader.hpp"
#include "worker/training/checkpoint/checkpoint.hpp"
#include "worker/training/loop/trainer.hpp"
#include "worker/training/memory_peak.hpp"

namespace mdl::worker::training::loop {
namespace {

namespace page = reports::page;

/// Its last part: "run" of "/data/run/".
std::string name_of(const std::filesystem::path& output) {
  const std::filesystem::path whole = std::filesystem::absolute(output).lexically_normal();
  return (whole.has_filename() ? whole : whole.parent_path()).filename().string();
}

/// Takes over what the checkpoint knows. A report is not worth a run: what makes no sense is told, and left out.
void take_over(page::RunHistory& history, const nlohmann::json& log_history,
               const std::optional<std::filesystem::path>& checkpoint) {
  try {
    for (const auto& entry : log_history) { page::add_log_entry(history, entry, "an entry of the checkpoint's log"); }
    if (!checkpoint || !std::filesystem::exists(*checkpoint / page::kSidecarFile)) { return; }
    const std::filesystem::path file = *checkpoint / page::kSidecarFile;
    history.sidecar = page::parse_sidecar(read_text(file), file);
  } catch (const std::exception& error) { log::warning("the report begins anew: ", as_error(error).problem()); }
}

}  // namespace

void Trainer::begin_report() {
  page::RunHistory history{
      .name = name_of(run_.options.output), .total_steps = state_.total_steps, .tables = run_.facts};
  take_over(history, state_.log_history, run_.checkpoint);
  using Kind = page::RunBegin::Kind;
  const page::RunBegin begin{.kind = !run_.checkpoint ? Kind::started
                                     : run_.restarted ? Kind::restarted
                                                      : Kind::resumed,
                             .step = state_.step,
                             .ranks = run_.group.world_size(),
                             .time = std::time(nullptr)};
  report_.emplace(run_.options.output, std::move(history), begin, run_.options.report_html);
  tell_best_to_report();
}

void Trainer::report_step() {
  if (!report_) { return; }
  const auto gpu = memory_peak(device_);
  report_->end_step(state_.step, samples_done_, gpu ? gpu->allocated : 0);
}

void Trainer::tell_best_to_report() {
  const auto& metric = run_.options.best_model.metric;
  if (!report_ || !metric || !state_.best.metric || !state_.best.step) { return; }
  report_->set_best({.metric = *metric, .point = {*state_.best.step, *state_.best.metric}});
}

RunRecord Trainer::record() const {
  RunRecord record;
  if (report_) { record.history = report_->history(); }
  record.page = page_;
  record.checkpoint = best_checkpoint();
  record.checkpoint_is_best = record.checkpoint.has_value();
  const auto last = checkpoint::checkpoint_folder(run_.options.output, last_saved_);
  if (!record.checkpoint && std::filesystem::is_directory(last)) { record.checkpoint = last; }
  return record;
}

void Trainer::tell_how_to_go_on() const {
  if (!run_.group.is_first() || last_saved_ == 0 || run_.command_to_go_on.empty()) { return; }
  log::news("this goes on with:\n  ", run_.command_to_go_on);
}

}  // namespace mdl::worker::training::loop
