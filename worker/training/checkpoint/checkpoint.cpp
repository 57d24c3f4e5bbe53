#include "worker/training/checkpoint/checkpoint.hpp"

#include <algorithm>

#include "common/atomic_file.hpp"
#include "common/atomic_folder.hpp"
#include "common/error.hpp"
#include "common/log.hpp"
#include "common/parse_number.hpp"
#include "common/str_cat.hpp"
#include "worker/adapter/adapter_readme.hpp"
#include "worker/adapter/pretrained.hpp"
#include "worker/adapter/running_statistics.hpp"

namespace mdl::worker::training::checkpoint {
namespace {

namespace fs = std::filesystem;

/// What transformers needs of a folder beside an adapter to make prompts for it.
constexpr const char* kTextFiles[] = {"tokenizer.json",
                                      "tokenizer_config.json",
                                      "special_tokens_map.json",
                                      "vocab.json",
                                      "merges.txt",
                                      "chat_template.jinja",
                                      "chat_template.json",
                                      "preprocessor_config.json",
                                      "processor_config.json",
                                      "added_tokens.json"};

}  // namespace

std::optional<int64_t> step_of(const fs::path& folder) {
  constexpr std::string_view kPrefix = "checkpoint-";
  const std::string name = folder.filename().string();
  if (!name.starts_with(kPrefix)) { return std::nullopt; }
  return parse_digits<int64_t>(std::string_view(name).substr(kPrefix.size()));
}

void finish_removals(const fs::path& output) {
  std::vector<fs::path> left;
  for (const auto& entry : fs::directory_iterator(output)) {
    const fs::path name = entry.path().filename();
    if (name.extension() == kRemovedEnd && step_of(name.stem())) { left.push_back(entry.path()); }
  }
  for (const fs::path& folder : left) {
    std::error_code error;
    fs::remove_all(folder, error);
    if (error) { throw Error(str_cat("cannot remove ", folder.string(), ": ", error.message())); }
  }
}

fs::path checkpoint_folder(const fs::path& output, int64_t step) {
  return output / str_cat("checkpoint-", step);
}

std::vector<fs::path> list_checkpoints(const fs::path& output) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(output)) {
    if (entry.is_directory() && step_of(entry.path())) { found.push_back(entry.path()); }
  }
  std::sort(found.begin(), found.end(), [](const fs::path& a, const fs::path& b) { return step_of(a) < step_of(b); });
  return found;
}

void remove_old_checkpoints(const fs::path& output, int64_t most, int64_t newest, std::optional<int64_t> best) {
  finish_removals(output);
  std::vector<fs::path> checkpoints = list_checkpoints(output);
  // Those of later steps are an earlier run's.
  std::stable_partition(checkpoints.begin(), checkpoints.end(),
                        [&](const fs::path& folder) { return step_of(folder) > newest; });
  const auto stays = [&](const fs::path& folder) { return step_of(folder) == newest || step_of(folder) == best; };
  auto too_many = std::ssize(checkpoints) - most;
  for (const fs::path& folder : checkpoints) {
    if (too_many <= 0) { break; }
    if (stays(folder)) { continue; }
    remove_folder_atomically(folder);
    --too_many;
  }
}

void save_trained_adapter(model::MiDashengLM& model, const adapter::LoraConfig& lora,
                          const adapter::BaseModel& base_model, const fs::path& folder) {
  adapter::save_running_statistics(model, folder / adapter::kRunningStatisticsFile);
  write_text_atomically(folder / "README.md", adapter::adapter_readme(base_model, model.config().audio.names.init_bn));
  adapter::save_adapter(model, lora, base_model, folder);
}

fs::path save_final(const fs::path& output, model::MiDashengLM& model, const adapter::LoraConfig& lora,
                    const adapter::BaseModel& base_model, bool merge, const FinalOrigin& origin) {
  fs::path target = output / "final";
  std::vector<std::string> kept;
  const auto finish = [&](const fs::path& folder) {
    write_final_record(folder, origin);
    kept = keep_users_files(target, folder);
  };
  if (merge) {
    adapter::save_merged(model, base_model.folder, target, adapter::kShardBytes, finish);
  } else {
    write_folder_atomically(target, [&](const fs::path& folder) {
      save_trained_adapter(model, lora, base_model, folder);
      for (const char* name : kTextFiles) {
        const fs::path source = base_model.folder / name;
        if (fs::exists(source)) { fs::copy_file(source, folder / name); }
      }
      finish(folder);
    });
  }
  std::string names;
  for (const std::string& name : kept) { names += (names.empty() ? "" : ", ") + name; }
  if (!kept.empty()) { log::news(target.string(), " keeps what it held besides the model: ", names); }
  return target;
}

}  // namespace mdl::worker::training::checkpoint
