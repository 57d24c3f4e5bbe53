#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "common/str_cat.hpp"
#include "tests/device/counting_device.hpp"
#include "tests/device/device_memory.hpp"
#include "tests/device/tiny_training.hpp"
#include "worker/plan/memory_plan.hpp"
#include "worker/planned_memory.hpp"
#include "worker/tensors/out_of_memory.hpp"

using namespace mdl;
using namespace mdl::test::device;
namespace fs = std::filesystem;

namespace {

/// What `mdl-toolkit plan` tells of the same run, in bytes. A process of its own: it has a device of its own.
int64_t planned(const TinyInputs& inputs, const std::vector<std::string>& options) {
  std::string command = str_cat(MDL_BIN_DIR, "/mdl-toolkit plan --json true --batch-size 2 --lora-rank 4 --model-name ",
                                inputs.model().string(), " --train-dataset ", inputs.train_data().string());
  for (const std::string& option : options) { command += " " + option; }
  const std::unique_ptr<FILE, int (*)(FILE*)> output(::popen(command.c_str(), "r"), ::pclose);
  std::string text;
  for (std::array<char, 4096> part{}; const size_t size = std::fread(part.data(), 1, part.size(), output.get());) {
    text.append(part.data(), size);
  }
  return nlohmann::json::parse(text).at("device_training").get<int64_t>();
}

constexpr int64_t kGib = int64_t{1} << 30;
const fs::path kProgram = fs::path(MDL_BIN_DIR) / "mdl-toolkit";

worker::TrainingInputs inputs_of(const TinyInputs& tiny, const std::vector<std::string>& options) {
  std::vector<std::string> arguments = {"--model-name",    tiny.model(), "--train-dataset",
                                        tiny.train_data(), "--output",   tiny.folder() / "unused"};
  arguments.insert(arguments.end(), options.begin(), options.end());
  worker::TrainingInputs inputs{.options = worker::training::parse_train_options(arguments),
                                .environment = std::nullopt,
                                .meeting = {},
                                .dtype = at::kFloat,
                                .quantize = {},
                                .model_folder = tiny.model(),
                                .base_model = worker::adapter::BaseModel(tiny.model()),
                                .config = tiny.config(),
                                .pad_token_id = 0,
                                .train_folders = {},
                                .eval_folders = {}};
  inputs.train_data.emplace(tiny.train_data());
  if (inputs.options.eval_dataset) { inputs.eval_data.emplace(*inputs.options.eval_dataset); }
  return inputs;
}

/// What `plan` says of train's own command line.
std::optional<worker::PlannedMemory> by_hand(const TinyInputs& tiny, const std::vector<std::string>& options,
                                             int64_t of_gpu) {
  std::vector<std::string> arguments = {"--model-name",    tiny.model(),
                                        "--train-dataset", tiny.train_data(),
                                        "--memory",        std::to_string(of_gpu),
                                        "--json",          "true",
                                        "--bf16",          "false"};
  arguments.insert(arguments.end(), options.begin(), options.end());
  return worker::ask_plan(kProgram, arguments);
}

}  // namespace

TEST_CASE("the plan of a run's memory is within three percent of what the run takes") {
  struct Setting {
    at::ScalarType dtype;
    std::vector<std::string> options;
  };
  const std::vector<Setting> settings = {
      {at::kFloat, {"--gradient-checkpointing", "true"}},
      {at::kFloat, {"--gradient-checkpointing", "false"}},
      {at::kBFloat16, {"--gradient-checkpointing", "false", "--lora-rank", "8"}},
      {at::kBFloat16, {"--gradient-accumulation-steps", "2"}},
      {at::kFloat, {"--lora-dropout", "0.2", "--train-target", "encoder,projector,decoder,embed_tokens,lm_head"}},
  };
  const TinyInputs inputs(Clips::equal);
  for (const Setting& setting : settings) {
    std::vector<std::string> options = setting.options;
    const int64_t taken = train(inputs, {.options = options, .dtype = setting.dtype}, kCountingDevice).bytes_at_peak;
    options.insert(options.end(), {"--bf16", setting.dtype == at::kBFloat16 ? "true" : "false"});
    INFO(str_cat(setting.options.front(), " ", setting.dtype));
    CHECK(static_cast<double>(planned(inputs, options)) == Approx(static_cast<double>(taken)).epsilon(0.03));
  }
}

TEST_CASE("a run asks for the plan of its own settings") {
  const TinyInputs tiny(Clips::equal);
  const std::string evaluation = tiny.evaluation_data();
  const std::vector<std::vector<std::string>> settings = {
      {"--lora-rank", "8", "--lora-dropout", "0.25", "--train-target", "encoder,lm_head"},
      {"--batch-size", "3", "--gradient-accumulation-steps", "2", "--gradient-checkpointing", "false"},
      {"--batch-tokens", "100"},
      {"--eval-dataset", evaluation, "--eval-batch-size", "64", "--quantization", "8bit", "--batch-norm", "frozen"},
  };
  std::set<int64_t> sizes;
  for (const auto& options : settings) {
    const auto inputs = inputs_of(tiny, options);
    const auto asked = worker::ask_plan(kProgram, worker::plan_arguments(inputs, std::nullopt, 8 * kGib));
    const auto wanted = by_hand(tiny, options, 8 * kGib);
    REQUIRE(asked);
    REQUIRE(wanted);
    CHECK(asked->device == wanted->device);
    CHECK(asked->of_gpu == 8 * kGib);
    CHECK(asked->beside == worker::plan::kBesideTensors);
    CHECK(asked->fits());
    CHECK(asked->lighter.empty());
    sizes.insert(asked->device);
  }
  CHECK(sizes.size() == settings.size());
}

TEST_CASE("a run that does not fit is told with what would") {
  const TinyInputs tiny(Clips::equal);
  auto inputs = inputs_of(tiny, {"--batch-size", "16", "--gradient-checkpointing", "false"});
  const auto whole = worker::ask_plan(kProgram, worker::plan_arguments(inputs, std::nullopt, 8 * kGib));
  REQUIRE(whole);
  const int64_t less = whole->device + whole->beside - 1;
  const auto planned = worker::ask_plan(kProgram, worker::plan_arguments(inputs, std::nullopt, less));
  REQUIRE(planned);
  CHECK(!planned->fits());
  REQUIRE(!planned->lighter.empty());
  CHECK_THAT(planned->lighter.front(), Catch::StartsWith("--batch-size 15 takes "));
  CHECK_THAT(worker::describe(*planned), Catch::Contains("that will hardly fit. This fits: --batch-size 15 takes "));
  CHECK_THAT(worker::advice_on_memory(*planned), Catch::Contains("This fits: --batch-size 15 takes "));
  CHECK_THAT(worker::advice_on_memory(*whole), Catch::Contains("another program may hold the rest"));
  CHECK_THAT(worker::describe(*whole), !Catch::Contains("fit"));
}

TEST_CASE("adapters that no option can say are planned from their folder") {
  const TinyInputs tiny(Clips::equal);
  auto inputs = inputs_of(tiny, {});
  const auto has = [&](const std::string& word) {
    const auto arguments = worker::plan_arguments(inputs, fs::path("ADAPTER"), kGib);
    return std::find(arguments.begin(), arguments.end(), word) != arguments.end();
  };
  CHECK(has("--lora-rank"));
  CHECK(!has("ADAPTER"));
  inputs.options.lora.rank_pattern.emplace_back("fc1", 2);
  CHECK(has("ADAPTER"));
  CHECK(!has("--lora-rank"));
}

TEST_CASE("a plan that fails is nobody's failure") {
  const test::TempDir folder;
  ::setenv("TORCHELASTIC_ERROR_FILE", (folder.path() / "error.json").c_str(), 1);
  CHECK(!worker::ask_plan({}, {}));
  CHECK(!worker::ask_plan(folder.path() / "none", {"--json", "true"}));
  CHECK(!worker::ask_plan(kProgram, {"--json", "true", "--model-name", "/none", "--memory", "1"}));
  ::unsetenv("TORCHELASTIC_ERROR_FILE");
  CHECK(!fs::exists(folder.path() / "error.json"));
}

TEST_CASE("a step for which the device has no memory is told with its rows, and leaves nothing behind") {
  const TinyInputs tiny(Clips::equal);
  const int64_t before = bytes_now();
  const TinyResult whole = train(tiny, {}, kCountingDevice);
  {
    const MemoryLimit limit(before + whole.bytes_at_peak - 1);
    try {
      train(tiny, {}, kCountingDevice);
      FAIL("it had memory enough");
    } catch (const worker::tensors::OutOfMemory& error) {
      CHECK_THAT(error.problem(), Catch::StartsWith("step 1, rows ") && Catch::Contains(": out of memory: the device"));
      CHECK_THAT(error.advice(), Catch::Contains("--batch-size"));
    }
  }
  CHECK(bytes_now() == before);
  CHECK(train(tiny, {}, kCountingDevice).losses == whole.losses);
}
