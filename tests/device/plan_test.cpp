#include <array>
#include <catch2/catch.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "common/str_cat.hpp"
#include "tests/device/counting_device.hpp"
#include "tests/device/tiny_training.hpp"

using namespace mdl;
using namespace mdl::test::device;

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
