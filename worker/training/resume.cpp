#include "worker/training/resume.hpp"

#include <array>
#include <exception>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/log.hpp"
#include "common/str_cat.hpp"
#include "worker/model/safetensors.hpp"
#include "worker/training/checkpoint.hpp"
#include "worker/training/data_progress.hpp"
#include "worker/training/job_identity.hpp"

namespace mdl {
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

/// The newest whole checkpoint that `is_meant`. Says what is wrong with those that it passes over.
std::optional<fs::path> newest_whole_checkpoint(const fs::path& output,
                                                const std::function<bool(const fs::path&)>& is_meant) {
  const auto checkpoints = fs::is_directory(output) ? list_checkpoints(output) : std::vector<fs::path>();
  for (auto newest = checkpoints.rbegin(); newest != checkpoints.rend(); ++newest) {
    const std::string fault = checkpoint_fault(*newest);
    if (!fault.empty()) {
      log::warning("not resuming from ", newest->string(), ": ", fault);
    } else if (is_meant(*newest)) {
      return *newest;
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<fs::path> find_checkpoint_of_job(const fs::path& output, const std::vector<std::string>& agents) {
  if (!same_job(agents, agents)) return std::nullopt;  // no launcher
  return newest_whole_checkpoint(output, [&](const fs::path& folder) {
    const fs::path file = folder / kDataProgressFile;
    return fs::exists(file) && same_job(parse_data_progress(read_text(file)).agents, agents);
  });
}

std::string checkpoint_fault(const fs::path& folder) {
  for (const char* name :
       {"adapter_config.json", "adapter_model.safetensors", "optimizer.pt", "scheduler.pt", "trainer_state.json"}) {
    if (!fs::exists(folder / name)) return str_cat("it has no ", name);
  }
  try {
    const SafetensorsFile weights(folder / "adapter_model.safetensors");
    if (fs::exists(folder / kDataProgressFile)) parse_data_progress(read_text(folder / kDataProgressFile));
    static_cast<void>(nlohmann::json::parse(read_text(folder / "trainer_state.json")).at("global_step").get<int64_t>());
  } catch (const std::exception& error) {
    return error.what();
  }
  for (const char* name : {"optimizer.pt", "scheduler.pt"}) {
    if (!ends_like_a_zip_file(folder / name)) return str_cat(name, " is cut off");
  }
  return {};
}

std::optional<fs::path> find_checkpoint(const std::string& option, const fs::path& output) {
  if (option == "false") return std::nullopt;
  if (option != "true") {
    const std::string fault = fs::is_directory(option) ? checkpoint_fault(option) : "there is no such folder";
    if (!fault.empty()) throw UsageError(str_cat("cannot resume from ", option, ": ", fault));
    return option;
  }
  if (auto newest = newest_whole_checkpoint(output, [](const fs::path&) { return true; })) return newest;
  throw UsageError(str_cat("--resume-from-checkpoint true: no whole checkpoint in ", output.string()),
                   "Leave the option out to start anew.");
}

}  // namespace mdl
