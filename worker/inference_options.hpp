#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "worker/cli/given_options.hpp"
#include "worker/cli/option_text.hpp"
#include "worker/convert/row_options.hpp"
#include "worker/device/device_choice.hpp"
#include "worker/quantization/quantization.hpp"

namespace mdl::worker {

/// The command line of `mdl-toolkit inference`. Names and defaults are those of the Python tool, where it has them.
struct InferenceOptions {
  std::filesystem::path input;   ///< file of rows
  std::filesystem::path output;  ///< the same with the answers, in the same format
  std::string model_name;        ///< see hub::find_model(); or an adapter's folder, which names its model
  std::size_t batch_size = 32;   ///< rows of each process
  int64_t max_length = 128;      ///< tokens of prompt and answer
  convert::RowOptions rows;
  // Not in the Python tool:
  device::Wish device;
  std::optional<int64_t> max_new_tokens;  ///< tokens of an answer; then max_length does not count
  std::optional<std::filesystem::path> adapter;
  bool merge_adapter = false;
  std::optional<bool> bf16;  ///< unset: the type of the checkpoint
  std::optional<quantization::Quantization> quantization;
  uint64_t seed = 42;
  std::optional<std::string> printed_config{};  ///< nothing else is wanted
};

/// The options of inference, for a command that takes them and more.
std::vector<cli::OptionText> inference_option_texts();

/// Reads and checks the values of these. Throws UsageError.
InferenceOptions read_inference_options(const cli::GivenOptions& given, const std::string& command);

/// The text of `mdl-toolkit inference --help`.
std::string inference_help();

/// Parses and checks the values. Throws UsageError.
InferenceOptions parse_inference_options(const std::vector<std::string>& arguments);

}  // namespace mdl::worker
