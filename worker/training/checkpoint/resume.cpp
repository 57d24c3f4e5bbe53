#include "worker/training/checkpoint/resume.hpp"

#include <array>
#include <exception>
#include <fstream>
#include <nlohmann/json.hpp>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/exception_text.hpp"
#include "common/file_overlap.hpp"
#include "common/str_cat.hpp"
#include "worker/adapter/adapter_config.hpp"
#include "worker/adapter/lora.hpp"
#include "worker/tensors/safetensors.hpp"
#include "worker/training/checkpoint/checkpoint.hpp"
#include "worker/training/checkpoint/identify_run.hpp"
#include "worker/training/checkpoint/job_identity.hpp"
#include "worker/training/data/data_progress.hpp"

namespace mdl::worker::training::checkpoint {
namespace {

namespace fs = std::filesystem;

/// A torch.save archive is a zip file; its directory comes last, so a cut file lacks the mark that ends it.
bool ends_like_a_zip_file(const fs::path& file) {
  constexpr int kEndRecordBytes = 22;
  std::ifstream in(file, std::ios::binary);
  std::array<char, 4> mark{};
  return in.seekg(-kEndRecordBytes, std::ios::end) && in.read(mark.data(), mark.size()) &&
         std::string_view(mark.data(), mark.size()) == "PK\5\6";
}

/// `now`, if it goes on from this checkpoint, whose own identity is `then`: with its adapters and learning rate, but
/// for what was given.
RunIdentity going_on(RunIdentity now, const RunIdentity& then, const TrainOptions& options, const fs::path& folder,
                     const adapter::LinearLayerNames& layers) {
  if (!options.learning_rate_given) { take_learning_rate(now, then); }
  const fs::path file = folder / "adapter_config.json";
  try {
    const adapter::LoraConfig there =
        adapter::parse_adapter_config(read_text(file), file, adapter::AdapterUse::training).lora;
    set_adapter(now, adapter::resumed_lora(options.given_lora, there, layers));
  } catch (const Error&) {  // it is no checkpoint of this run, whatever the run has
  }
  return now;
}

}  // namespace

std::optional<fs::path> find_checkpoint_of_job(const fs::path& output, const std::vector<std::string>& agents) {
  if (!same_job(agents, agents) || !fs::is_directory(output)) {
    return std::nullopt;  // no launcher, or nothing there
  }
  const auto checkpoints = list_checkpoints(output);
  for (auto newest = checkpoints.rbegin(); newest != checkpoints.rend(); ++newest) {
    const fs::path file = *newest / data::kDataProgressFile;
    if (checkpoint_fault(*newest) || !fs::exists(file)) { continue; }
    if (same_job(data::parse_data_progress(read_text(file)).agents, agents)) { return *newest; }
  }
  return std::nullopt;
}

std::optional<std::string> checkpoint_fault(const fs::path& folder) {
  for (const char* name :
       {"adapter_config.json", "adapter_model.safetensors", "optimizer.pt", "scheduler.pt", "trainer_state.json"}) {
    if (!fs::exists(folder / name)) { return str_cat("it has no ", name); }
  }
  try {
    const tensors::SafetensorsFile weights(folder / "adapter_model.safetensors");
    if (fs::exists(folder / data::kDataProgressFile)) {
      data::parse_data_progress(read_text(folder / data::kDataProgressFile));
    }
    static_cast<void>(nlohmann::json::parse(read_text(folder / "trainer_state.json")).at("global_step").get<int64_t>());
  } catch (const std::exception& error) { return as_error(error).problem(); }
  for (const char* name : {"optimizer.pt", "scheduler.pt"}) {
    if (!ends_like_a_zip_file(folder / name)) { return str_cat(name, " is cut off"); }
  }
  return std::nullopt;
}

void check_resume_option(const ResumeFrom& resume_from, const fs::path& output) {
  if (const auto* path = std::get_if<ResumePath>(&resume_from)) {
    const fs::path& folder = path->folder;
    const auto fault = fs::is_directory(folder) ? checkpoint_fault(folder) : "there is no such folder";
    if (fault) { throw UsageError(str_cat("cannot resume from ", folder.string(), ": ", *fault)); }
    return;
  }
  if (std::holds_alternative<ResumeNever>(resume_from)) { return; }
  if (fs::is_directory(output) && !list_checkpoints(output).empty()) { return; }
  throw UsageError(str_cat("--resume-from-checkpoint true: no checkpoint in ", output.string()),
                   "Leave the option out to start anew.");
}

StartConditions read_start_conditions(const TrainOptions& options, const RunIdentity& now,
                                      const model::ModelConfig& model, const adapter::BaseModel& base_model,
                                      const std::vector<std::string>& agents) {
  const auto of_job = find_checkpoint_of_job(options.output, agents);
  const bool goes_on = !std::holds_alternative<ResumeNever>(options.resume_from) || of_job;
  const auto layers = goes_on ? adapter::linear_layer_names(model) : adapter::LinearLayerNames();
  const auto look_at = [&](const fs::path& folder) {
    FoundCheckpoint found{.folder = folder, .step = step_of(folder).value_or(0), .fault = checkpoint_fault(folder)};
    RunIdentity& then = found.identity;
    try {
      then = identify_checkpoint(folder, now, base_model);
    } catch (const std::exception& error) {
      if (!found.fault) { found.fault = as_error(error).problem(); }
    }
    found.compared = compare_runs(then, goes_on ? going_on(now, then, options, folder, layers) : now);
    return found;
  };
  StartConditions conditions{
      .resume_from = options.resume_from, .overwrite = options.overwrite_output, .output = options.output};
  if (fs::is_directory(options.output)) {
    for (const fs::path& folder : list_checkpoints(options.output)) { conditions.there.push_back(look_at(folder)); }
  }
  if (const auto* path = std::get_if<ResumePath>(&options.resume_from)) {
    const fs::path& named = path->folder;
    conditions.named = look_at(named);
    // The others are beside a run that has taken over this one's adapters and learning rate, whatever was given.
    RunIdentity will_be = going_on(now, conditions.named->identity, options, named, layers);
    take_learning_rate(will_be, conditions.named->identity);
    for (FoundCheckpoint& found : conditions.there) {
      found.compared = compare_runs(found.identity, will_be);
      if (!is_same_file(found.folder, named)) { continue; }
      conditions.named_lies_there = true;
      conditions.named->folder = found.folder;
    }
  }
  if (of_job) { conditions.of_job = look_at(*of_job); }
  return conditions;
}

}  // namespace mdl::worker::training::checkpoint
