#include "worker/training/checkpoint/run_start.hpp"

#include <algorithm>

#include "common/error.hpp"
#include "common/join.hpp"
#include "common/str_cat.hpp"

namespace mdl::worker::training::checkpoint {
namespace {

/// What keeps a checkpoint from being this run's, a line each.
std::string describe_differences(const FoundCheckpoint& found) {
  std::string text;
  if (found.fault) { text += "\n    it is not whole: " + *found.fault; }
  for (const std::string& difference : found.compared.differences) { text += "\n    " + difference; }
  if (!found.compared.unknown.empty()) {
    text += "\n    it does not say (an earlier version's or the Python tool's): " + joined(found.compared.unknown);
  }
  return text;
}

/// ", or how to go on from it", where that can be.
std::string advice_to_go_on(const FoundCheckpoint& found) {
  if (found.fault) { return ""; }
  return str_cat(", or --resume-from-checkpoint ", found.folder.string(),
                 found.compared.other_adapters ? " without options of the adapters" : "",
                 " to go on from it all the same");
}

/// Tells how the run goes on from `found`.
void go_on(const FoundCheckpoint& found, RunStart& start) {
  start.checkpoint = found;
  const std::string name = found.folder.string();
  if (!found.compared.differences.empty()) {
    start.warnings.push_back(str_cat(name, " is of another run:\n    ", joined(found.compared.differences, "\n    ")));
  }
  if (!found.compared.unknown.empty()) {
    start.warnings.push_back(
        str_cat(name, " does not say, so that it could not be compared: ", joined(found.compared.unknown)));
  }
  if (!found.compared.changes.empty()) {
    start.news.push_back(str_cat("changed since ", name, ": ", joined(found.compared.changes)));
  }
}

/// Tells of the checkpoints behind `step` that cannot be gone on from.
void tell_faults(const StartConditions& conditions, std::int64_t step, RunStart& start) {
  for (const FoundCheckpoint& found : conditions.there) {
    if (!found.fault || found.step < step) { continue; }
    start.warnings.push_back(str_cat("not resuming from ", found.folder.string(), ": ", *found.fault));
  }
}

/// Older runs of the same identity give way to the one that goes on.
void supersede_older(const StartConditions& conditions, RunStart& start) {
  const RunIdentity& on = start.checkpoint->identity;
  for (const FoundCheckpoint& other : conditions.there) {
    const RunIdentity& then = other.identity;
    const bool older = !then.run.empty() && then.run != on.run && then.begun < on.begun;
    if (older && compare_runs(then, on).same()) { start.superseded.push_back(other.folder); }
  }
}

bool is_of_named_run(const StartConditions& conditions, const FoundCheckpoint& found) {
  return conditions.named && !found.identity.run.empty() && found.identity.run == conditions.named->identity.run;
}

/// Checkpoints of others in OUTPUT: an error, or removed.
void clear_output(const StartConditions& conditions, RunStart& start) {
  const FoundCheckpoint* worst = nullptr;
  std::size_t count = 0;
  for (const FoundCheckpoint& found : conditions.there) {
    if (found.compared.same()) {
      if (!is_of_named_run(conditions, found)) { start.superseded.push_back(found.folder); }
      continue;
    }
    start.remove.push_back(found.folder);
    ++count;
    // One with a known difference says more than one that does not tell.
    const bool tells = !found.compared.differences.empty();
    if (!worst || tells || worst->compared.differences.empty()) { worst = &found; }
  }
  if (conditions.overwrite || !worst) { return; }
  const std::string which =
      worst->compared.differences.empty() ? "a checkpoint that may be another run's" : "a checkpoint of another run";
  throw UsageError(
      str_cat("--output ", conditions.output.string(), " holds ", which, ": ", worst->folder.filename().string(),
              count > 1 ? str_cat(" (and ", count - 1, " more)") : "", describe_differences(*worst)),
      str_cat("Give another --output. Or say --overwrite-output true, which removes the checkpoint-* there",
              advice_to_go_on(*worst), "."));
}

/// No checkpoint is there to go on from; `foreign`, the newest whole one of another run, may be null.
[[noreturn]] void refuse_to_resume(const StartConditions& conditions, const FoundCheckpoint* foreign) {
  const char* option = "--resume-from-checkpoint true: no whole checkpoint ";
  if (!foreign) {
    throw UsageError(str_cat(option, "in ", conditions.output.string()), "Leave the option out to start anew.");
  }
  throw UsageError(str_cat(option, "of this run in ", conditions.output.string(), "; ",
                           foreign->folder.filename().string(), " is of another run", describe_differences(*foreign)),
                   str_cat("Start anew with another --output", advice_to_go_on(*foreign), "."));
}

void take_newest(const StartConditions& conditions, RunStart& start) {
  const auto usable = [](const FoundCheckpoint& found) { return !found.fault && found.compared.differences.empty(); };
  const auto before = [&](const FoundCheckpoint* one, const FoundCheckpoint& other) {
    return !one || std::pair(one->identity.begun, one->step) < std::pair(other.identity.begun, other.step);
  };
  const FoundCheckpoint* newest = nullptr;
  const FoundCheckpoint* foreign = nullptr;
  for (const FoundCheckpoint& found : conditions.there) {
    if (usable(found) && before(newest, found)) { newest = &found; }
    if (!found.fault && !usable(found) && before(foreign, found)) { foreign = &found; }
  }
  tell_faults(conditions, newest ? newest->step : 0, start);
  if (!newest) { refuse_to_resume(conditions, foreign); }
  if (foreign && !conditions.overwrite) {  // it would be in the way of this run's, and of --save-total-limit
    throw UsageError(str_cat("--resume-from-checkpoint true: ", conditions.output.string(),
                             " holds a checkpoint of another run as well: ", foreign->folder.filename().string(),
                             describe_differences(*foreign)),
                     "Say --overwrite-output true, which removes such, or --resume-from-checkpoint with the folder to "
                     "go on from.");
  }
  go_on(*newest, start);
  supersede_older(conditions, start);
  for (const FoundCheckpoint& found : conditions.there) {
    if (conditions.overwrite && !found.compared.differences.empty()) { start.remove.push_back(found.folder); }
  }
}

/// Tells of the newest whole checkpoint that a new start is going to remove, and how to keep it.
void warn_of_lost_steps(const StartConditions& conditions, RunStart& start) {
  const FoundCheckpoint* newest = nullptr;
  for (const FoundCheckpoint& found : conditions.there) {
    if (!found.fault && found.compared.same() && (!newest || found.step > newest->step)) { newest = &found; }
  }
  if (!newest) { return; }
  start.warnings.push_back(str_cat("starting anew: the first new checkpoint will replace ", newest->folder.string(),
                                   " of the same run. --resume-from-checkpoint true goes on from it"));
}

}  // namespace

RunStart plan_start(const StartConditions& conditions) {
  RunStart start;
  if (conditions.of_job) {
    start.checkpoint = conditions.of_job;
    start.restarted = true;
    tell_faults(conditions, conditions.of_job->step, start);
    supersede_older(conditions, start);
  } else if (std::holds_alternative<ResumeNewest>(conditions.resume_from)) {
    take_newest(conditions, start);
  } else if (conditions.named) {
    if (!conditions.named_lies_there) { clear_output(conditions, start); }
    go_on(*conditions.named, start);
    for (const FoundCheckpoint& other : conditions.there) {
      const bool named = conditions.named_lies_there && other.folder == conditions.named->folder;
      if (conditions.overwrite && conditions.named_lies_there && !named && !other.compared.differences.empty()) {
        start.remove.push_back(other.folder);
      }
      start.branches = start.branches || (is_of_named_run(conditions, other) && other.step > conditions.named->step);
    }
  } else {
    clear_output(conditions, start);
    warn_of_lost_steps(conditions, start);
  }
  return start;
}

}  // namespace mdl::worker::training::checkpoint
