#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "tests/device/traffic.hpp"
#include "tests/temp_dir.hpp"
#include "worker/batch/batch.hpp"
#include "worker/distributed/process_group.hpp"
#include "worker/model/config.hpp"
#include "worker/model/midashenglm.hpp"
#include "worker/tensors/safetensors.hpp"

namespace mdl::test::device {

enum class Clips {
  equal,  ///< of 0.6 s, so that all steps are alike
  mixed,  ///< of 0.3 to 0.8 s, no two neighbours alike
};

/// A checkpoint of a few thousand numbers, eight clips to train on and four to evaluate on, in a temporary folder.
class TinyInputs {
 public:
  static constexpr int64_t kRows = 8;

  explicit TinyInputs(Clips clips, const std::string& decoder = "qwen2");

  std::filesystem::path model() const { return folder_.path() / "model"; }
  std::filesystem::path train_data() const { return folder_.path() / "train"; }
  std::filesystem::path evaluation_data() const { return folder_.path() / "evaluation"; }
  const std::filesystem::path& folder() const { return folder_.path(); }
  const worker::model::ModelConfig& config() const { return config_; }

 private:
  TempDir folder_;
  worker::model::ModelConfig config_;
};

struct TinyRun {
  std::vector<std::string> options{};  ///< of `mdl-toolkit train`, beside the folders
  at::ScalarType dtype = at::kFloat;
  std::optional<std::filesystem::path> checkpoint{};  ///< to go on from
};

/// What a run logged and left.
struct TinyResult {
  std::vector<double> losses, gradient_norms, evaluation_losses;
  std::optional<double> peak_gib;         ///< as the run reports it
  worker::tensors::NamedTensors trained;  ///< on the CPU
  std::filesystem::path output;
  Traffic loading, training;
  int64_t bytes_loaded = 0;  ///< of device memory, with the adapters
  int64_t bytes_at_peak = 0;
};

/// Loads, trains and saves as `mdl-toolkit train` does, in an output folder of its own. `group`: null when alone.
TinyResult train(const TinyInputs& inputs, const TinyRun& run, at::Device device,
                 worker::distributed::ProcessGroup* group = nullptr);

/// The model as train() loads it, with the adapters of `checkpoint` where one is given.
std::shared_ptr<worker::model::MiDashengLM> load(const TinyInputs& inputs, const TinyRun& run, at::Device device);

/// The first `rows` rows as prompts for an answer.
worker::batch::Batch prompts(const TinyInputs& inputs, int64_t rows, at::Device device);

}  // namespace mdl::test::device
