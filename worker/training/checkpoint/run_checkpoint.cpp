#include "worker/training/checkpoint/run_checkpoint.hpp"

#include <torch/torch.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/atomic_file.hpp"
#include "common/atomic_folder.hpp"
#include "common/base64.hpp"
#include "common/file_overlap.hpp"
#include "worker/adapter/running_statistics.hpp"
#include "worker/reports/page/sidecar.hpp"
#include "worker/training/checkpoint/checkpoint.hpp"
#include "worker/training/checkpoint/optimizer_file.hpp"
#include "worker/training/checkpoint/training_args.hpp"

namespace mdl::worker::training::checkpoint {
namespace {

namespace fs = std::filesystem;

/// The states of all ranks that a checkpoint has files of, in base64.
std::vector<std::string> read_rng_files(const fs::path& folder) {
  std::vector<std::string> states;
  const auto add = [&](const fs::path& file) { states.push_back(base64_encode(to_text(load_rng_state(file)))); };
  if (fs::exists(folder / "rng_state.pth")) {
    add(folder / "rng_state.pth");
  } else {
    for (int64_t rank = 0; fs::exists(folder / rng_file_name(rank, 2)); ++rank) {
      add(folder / rng_file_name(rank, 2));
    }
  }
  return states;
}

/// What rank 0 reads for all: texts of the files, as one JSON text.
std::string read_for_all(const fs::path& folder) {
  const bool ours = fs::exists(folder / data::kDataProgressFile);
  const nlohmann::json all = {{"state", read_text(folder / "trainer_state.json")},
                              {"base_rate", load_base_rate(folder / "scheduler.pt")},
                              {"progress", ours ? read_text(folder / data::kDataProgressFile) : std::string()},
                              {"rng", read_rng_files(folder)}};
  return all.dump();
}

std::vector<at::Tensor> statistics_of(model::MiDashengLM& model) {
  std::vector<at::Tensor> tensors;
  for (const auto& [name, tensor] : adapter::running_statistics(model)) { tensors.push_back(tensor); }
  return tensors;
}

}  // namespace

void write_checkpoint(const RunCheckpoint& checkpoint) {
  const int64_t world_size = checkpoint.progress.shape.world_size;
  const fs::path& output = checkpoint.options.output;
  const int64_t step = checkpoint.state.step;
  write_folder_atomically(checkpoint_folder(output, step), [&](const fs::path& folder) {
    save_trained_adapter(checkpoint.model, checkpoint.options.lora, checkpoint.base_model, folder);
    save_optimizer(folder / "optimizer.pt", checkpoint.optimizer, checkpoint.options.optimizer, checkpoint.base_rate,
                   checkpoint.next_rate);
    save_scheduler(folder / "scheduler.pt", step, checkpoint.base_rate, checkpoint.next_rate);
    for (size_t rank = 0; rank < checkpoint.rng.size(); ++rank) {
      save_rng_state(folder / rng_file_name(static_cast<int64_t>(rank), world_size),
                     rng_state_from(checkpoint.rng[rank]), checkpoint.options.seed, world_size);
    }
    save_training_args(folder / "training_args.bin", checkpoint.options);
    write_text_atomically(folder / data::kDataProgressFile, checkpoint.progress.to_json());
    write_text_atomically(folder / kRunIdentityFile, checkpoint.identity.to_json());
    if (!checkpoint.sidecar.empty()) {
      write_text_atomically(folder / reports::page::kSidecarFile, checkpoint.sidecar);
    }
    write_text_atomically(folder / "trainer_state.json", checkpoint.state.to_json());
  });
  for (const fs::path& older : checkpoint.superseded) {
    if (fs::exists(older) && !is_same_file(older, checkpoint_folder(output, step))) { remove_folder_atomically(older); }
  }
  if (checkpoint.options.save_total_limit) {
    remove_old_checkpoints(output, *checkpoint.options.save_total_limit, step, checkpoint.state.best.step);
  }
}

ResumedRun read_checkpoint(const fs::path& folder, model::MiDashengLM& model, AdamW::State& optimizer,
                           distributed::ProcessGroup& group) {
  std::string text;
  if (group.is_first()) {
    load_optimizer(folder / "optimizer.pt", optimizer);
    text = read_for_all(folder);
  }
  const auto shared = nlohmann::json::parse(group.share("resume", text));
  const torch::NoGradGuard no_grad;
  if (group.is_first()) { adapter::load_running_statistics(model, folder); }
  group.broadcast(statistics_of(model));
  for (const auto* tensors : {&optimizer.steps, &optimizer.first_moments, &optimizer.second_moments}) {
    group.broadcast(*tensors);
  }

  ResumedRun run;
  const auto state = shared.at("state").get<std::string>();
  run.state.restore(state);
  run.base_rate = shared.at("base_rate").get<double>();
  run.batch_size = nlohmann::json::parse(state).value("train_batch_size", int64_t{0});
  const auto progress = shared.at("progress").get<std::string>();
  if (!progress.empty()) { run.progress = data::parse_data_progress(progress); }
  const auto& rng = shared.at("rng");
  run.world_size = run.progress ? run.progress->shape.world_size : std::max<int64_t>(1, std::ssize(rng));
  const auto rank = static_cast<size_t>(group.rank());
  if (rank < rng.size()) { run.rng = rng_state_from(base64_decode(rng[rank].get<std::string>()).value()); }
  return run;
}

}  // namespace mdl::worker::training::checkpoint
