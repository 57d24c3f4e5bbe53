#include "worker/training/checkpoint/run_start.hpp"

#include <algorithm>

#include "common/join.hpp"
#include "common/str_cat.hpp"

namespace mdl::worker::training::checkpoint {
namespace {

/// What keeps a checkpoint from being this run's, a line each.
std::string describe_differences(const FoundCheckpoint& found) {
  std::string text;
  if (!found.fault.empty()) { text += "\n    it is not whole: " + found.fault; }
  for (const std::string& difference : found.compared.differences) { text += "\n    " + difference; }
  if (!found.compared.unknown.empty()) {
    text += "\n    it does not say (an earlier version's or the Python tool's): " + joined(found.compared.unknown);
  }
  return text;
}

/// ", or how to go on from it", where that can be.
std::string advice_to_go_on(const FoundCheckpoint& found) {
  if (!found.fault.empty()) { return ""; }
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
void tell_faults(const StartWish& wish, std::int64_t step, RunStart& start) {
  for (const FoundCheckpoint& found : wish.there) {
    if (found.fault.empty() || found.step < step) { continue; }
    start.warnings.push_back(str_cat("not resuming from ", found.folder.string(), ": ", found.fault));
  }
}

/// Older runs of the same identity give way to the one that goes on.
void supersede_older(const StartWish& wish, RunStart& start) {
  const RunIdentity& on = start.checkpoint->identity;
  for (const FoundCheckpoint& other : wish.there) {
    const RunIdentity& then = other.identity;
    const bool older = !then.run.empty() && then.run != on.run && then.begun < on.begun;
    if (older && compare_runs(then, on).same()) { start.superseded.push_back(other.folder); }
  }
}

bool is_of_named_run(const StartWish& wish, const FoundCheckpoint& found) {
  return wish.named && !found.identity.run.empty() && found.identity.run == wish.named->identity.run;
}

/// Checkpoints of others in OUTPUT: an error, or removed.
void clear_output(const StartWish& wish, RunStart& start) {
  const FoundCheckpoint* worst = nullptr;
  std::size_t count = 0;
  for (const FoundCheckpoint& found : wish.there) {
    if (found.compared.same()) {
      if (!is_of_named_run(wish, found)) { start.superseded.push_back(found.folder); }
      continue;
    }
    start.remove.push_back(found.folder);
    ++count;
    // One with a known difference says more than one that does not tell.
    const bool tells = !found.compared.differences.empty();
    if (!worst || tells || worst->compared.differences.empty()) { worst = &found; }
  }
  if (wish.overwrite || !worst) { return; }
  const std::string which =
      worst->compared.differences.empty() ? "a checkpoint that may be another run's" : "a checkpoint of another run";
  start.error =
      str_cat("--output ", wish.output.string(), " holds ", which, ": ", worst->folder.filename().string(),
              count > 1 ? str_cat(" (and ", count - 1, " more)") : "", describe_differences(*worst),
              "\n  Give another --output. Or say --overwrite-output true, which removes the checkpoint-* there",
              advice_to_go_on(*worst), ".");
}

void take_newest(const StartWish& wish, RunStart& start) {
  const auto usable = [](const FoundCheckpoint& found) {
    return found.fault.empty() && found.compared.differences.empty();
  };
  const auto before = [&](const FoundCheckpoint* one, const FoundCheckpoint& other) {
    return !one || std::pair(one->identity.begun, one->step) < std::pair(other.identity.begun, other.step);
  };
  const FoundCheckpoint* newest = nullptr;
  const FoundCheckpoint* foreign = nullptr;
  for (const FoundCheckpoint& found : wish.there) {
    if (usable(found) && before(newest, found)) { newest = &found; }
    if (found.fault.empty() && !usable(found) && before(foreign, found)) { foreign = &found; }
  }
  tell_faults(wish, newest ? newest->step : 0, start);
  if (!newest) {
    start.error = str_cat("--resume-from-checkpoint true: no whole checkpoint ", foreign ? "of this run " : "", "in ",
                          wish.output.string(),
                          foreign ? str_cat("; ", foreign->folder.filename().string(), " is of another run",
                                            describe_differences(*foreign))
                                  : "",
                          foreign ? "\n  Start anew with another --output" + advice_to_go_on(*foreign) + "."
                                  : "\n  Leave the option out to start anew.");
    return;
  }
  if (foreign && !wish.overwrite) {  // it would be in the way of this run's, and of --save-total-limit
    start.error = str_cat("--resume-from-checkpoint true: ", wish.output.string(),
                          " holds a checkpoint of another run as well: ", foreign->folder.filename().string(),
                          describe_differences(*foreign), "\n  Say --overwrite-output true, which removes such, or ",
                          "--resume-from-checkpoint with the folder to go on from.");
    return;
  }
  go_on(*newest, start);
  supersede_older(wish, start);
  for (const FoundCheckpoint& found : wish.there) {
    if (wish.overwrite && !found.compared.differences.empty()) { start.remove.push_back(found.folder); }
  }
}

}  // namespace

RunStart plan_start(const StartWish& wish) {
  RunStart start;
  if (wish.of_job) {
    start.checkpoint = wish.of_job;
    start.restarted = true;
    tell_faults(wish, wish.of_job->step, start);
    supersede_older(wish, start);
  } else if (std::holds_alternative<ResumeNewest>(wish.resume_from)) {
    take_newest(wish, start);
  } else if (wish.named) {
    if (!wish.named_lies_there) { clear_output(wish, start); }
    if (start.error.empty()) { go_on(*wish.named, start); }
    for (const FoundCheckpoint& other : wish.there) {
      const bool named = wish.named_lies_there && other.folder == wish.named->folder;
      if (wish.overwrite && wish.named_lies_there && !named && !other.compared.differences.empty()) {
        start.remove.push_back(other.folder);
      }
      start.branches = start.branches || (is_of_named_run(wish, other) && other.step > wish.named->step);
    }
  } else {
    clear_output(wish, start);
  }
  return start;
}

}  // namespace mdl::worker::training::checkpoint
