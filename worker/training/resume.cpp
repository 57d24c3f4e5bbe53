#include "worker/training/resume.hpp"

#include <array>
#include <exception>
#include <fstream>
#include <nlohmann/json.hpp>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/log.hpp"
#include "common/str_cat.hpp"
#include "worker/model/safetensors.hpp"
#include "worker/training/checkpoint.hpp"

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

}  // namespace

std::string checkpoint_fault(const fs::path& folder) {
  for (const char* name : {"adapter_model.safetensors", "optimizer.pt", "scheduler.pt", "trainer_state.json"}) {
    if (!fs::exists(folder / name)) return str_cat("it has no ", name);
  }
  try {
    SafetensorsFile(folder / "adapter_model.safetensors");
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
  const auto checkpoints = fs::is_directory(output) ? list_checkpoints(output) : std::vector<fs::path>();
  for (auto newest = checkpoints.rbegin(); newest != checkpoints.rend(); ++newest) {
    const std::string fault = checkpoint_fault(*newest);
    if (fault.empty()) return *newest;
    log::warning("not resuming from ", newest->string(), ": ", fault);
  }
  throw UsageError(str_cat("--resume-from-checkpoint true: no whole checkpoint in ", output.string()),
                   "Leave the option out to start anew.");
}

}  // namespace mdl
