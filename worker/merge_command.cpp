#include "worker/merge_command.hpp"

#include <malloc.h>
#include <torch/torch.h>

#include <cstdio>
#include <filesystem>
#include <iostream>
#include <map>

#include "common/atomic_file.hpp"
#include "common/atomic_folder.hpp"
#include "common/error.hpp"
#include "common/file_overlap.hpp"
#include "common/log.hpp"
#include "common/standard_streams.hpp"
#include "common/str_cat.hpp"
#include "worker/adapter/adapter_folder.hpp"
#include "worker/adapter/checkpoint_files.hpp"
#include "worker/audio/audio_file.hpp"
#include "worker/cli/command_line.hpp"
#include "worker/cli/progress_bar.hpp"
#include "worker/loading_bar.hpp"
#include "worker/merge/card_facts.hpp"
#include "worker/merge/first_logits.hpp"
#include "worker/merge/merge_options.hpp"
#include "worker/merge/merged_weights.hpp"
#include "worker/model_choice.hpp"
#include "worker/tensors/safetensors.hpp"

namespace mdl::worker {
namespace {

namespace fs = std::filesystem;

/// As far apart as rounding makes the first logits of a model with its adapter beside the weights and in them
/// (measured: 1e-5 and 2e-2).
constexpr double kMostDifferenceFloat32 = 1e-3, kMostDifferenceBfloat16 = 0.1;

constexpr int kOwnMapping = 1 << 20;  ///< bytes

ModelChoice choose(const merge::MergeOptions& options) {
  InferenceOptions inference;
  inference.model_name = options.model.value_or(options.adapter.string());
  if (options.model) { inference.adapter = options.adapter; }
  inference.rows.from_modelscope = options.from_modelscope;
  ModelChoice choice = choose_model(inference, adapter::AdapterUse::merging);
  if (!choice.adapter) {
    throw UsageError(str_cat(options.adapter.string(), " is a model, not an adapter"),
                     "An adapter's folder has an adapter_config.json: mdl-toolkit merge MODEL ADAPTER --output DIR.");
  }
  fetch_weights(choice, inference);
  return choice;
}

void check_output(const merge::MergeOptions& options, const ModelChoice& choice) {
  const fs::path& output = options.output;
  for (const fs::path& input : {choice.folder, choice.adapter->folder}) {
    if (is_same_file(output, input)) {
      throw UsageError(str_cat("--output ", output.string(), " is what is to be merged"), "Name another folder.");
    }
  }
  std::error_code none;
  if (!fs::exists(output, none) || options.overwrite) { return; }
  if (!fs::is_directory(output)) {
    throw UsageError(str_cat("--output ", output.string(), " is a file, not a folder"), "Name another folder.");
  }
  if (!fs::is_empty(output)) {
    throw UsageError(str_cat("--output ", output.string(), " is there already, and not empty"),
                     "Name another folder, or say --overwrite-output true, which replaces it.");
  }
}

const char* type_name(at::ScalarType type) {
  return type == at::kFloat ? "float32" : type == at::kBFloat16 ? "bfloat16" : type == at::kHalf ? "float16" : "mixed";
}

/// The type of most of the weights.
at::ScalarType most_frequent_type(const merge::MergedWeights& weights) {
  std::map<at::ScalarType, std::size_t> bytes;
  for (const auto& tensor : weights.tensors()) { bytes[tensor.dtype] += tensor.bytes(); }
  return std::ranges::max_element(bytes, {}, &std::pair<const at::ScalarType, std::size_t>::second)->first;
}

struct Written {
  std::size_t bytes = 0, files = 0;
};

/// One file after the other, each of tensors that were made for it and go with it.
Written write_weights(const merge::MergedWeights& weights, const fs::path& folder, std::size_t shard_bytes) {
  const auto& planned = weights.tensors();
  Written written;
  for (const auto& tensor : planned) { written.bytes += tensor.bytes(); }
  const std::vector<std::size_t> ends = merge::shard_ends(planned, shard_bytes);
  written.files = ends.size();
  std::map<std::string, std::string> file_of_tensor;
  cli::ProgressBar bar({.what = "Merging", .total = static_cast<std::int64_t>(written.bytes), .unit = "bytes"}, stderr);
  std::size_t at = 0;
  for (std::size_t shard = 0; shard < ends.size(); ++shard) {
    const std::string file = adapter::weights_name(shard, ends.size());
    tensors::NamedTensors made;
    for (; at < ends[shard]; ++at) {
      made.emplace_back(planned[at].name, weights.make(at));
      file_of_tensor[planned[at].name] = file;
      bar.add(static_cast<std::int64_t>(planned[at].bytes()));
    }
    tensors::save_safetensors(folder / file, made);
  }
  if (ends.size() > 1) { adapter::write_weights_index(folder, file_of_tensor, written.bytes); }
  return written;
}

/// Compares the model with the adapter on it and the merged one. Throws Error where they differ.
void verify(const merge::MergeOptions& options, const ModelChoice& choice, at::ScalarType dtype) {
  if (choice.adapter->config.dora) { return; }
  const auto processor = processor::Processor::load(choice.folder);
  const std::vector<float> sound =
      options.sound ? audio::load_audio(*options.sound, processor.audio().sample_rate) : merge::built_in_sound();
  const at::ScalarType computed = dtype == at::kBFloat16 ? at::kBFloat16 : at::kFloat;
  const auto logits_of = [&](const ModelChoice& of) {
    const auto model = load_chosen_model(of, /*merge=*/false, computed, at::kCPU, {}, loading_bar(stderr));
    return merge::first_logits(*model, processor, sound);
  };
  const at::Tensor apart = logits_of(choice);
  const at::Tensor merged = logits_of({.folder = options.output, .adapter = std::nullopt});
  const double difference = merge::relative_difference(apart, merged);
  const bool same_token = apart.argmax().item<int64_t>() == merged.argmax().item<int64_t>();
  const double most = computed == at::kFloat ? kMostDifferenceFloat32 : kMostDifferenceBfloat16;
  std::printf("verified: the first logits differ by %.1e of the largest (at most %.0e), the first token is %s\n",
              difference, most, same_token ? "the same" : "another one");
  if (!(difference <= most)) {
    throw Error(str_cat("the merged model in ", options.output.string(), " answers otherwise than ", choice.name,
                        " with the adapter on it: the first logits differ by ", difference, " of the largest"),
                "Its folder stays, to be looked at.");
  }
}

void require_verifiable(const merge::MergeOptions& options, const ModelChoice& choice) {
  if (options.sound) { audio::probe_audio(*options.sound); }
  if (options.verify && choice.adapter->config.dora) {
    throw UsageError("--verify is not possible for a DoRA adapter, which this program cannot put on a model",
                     "Leave the option out.");
  }
}

}  // namespace

int run_merge(const std::vector<std::string>& arguments) {
  if (cli::asks_for_help(arguments)) {
    std::cout << merge::merge_help();
    return 0;
  }
  const merge::MergeOptions options = merge::parse_merge_options(arguments);
  if (options.printed_config) {
    std::cout << *options.printed_config;
    require_written_output();
    return 0;
  }
  // A tensor's memory goes back when it is freed. glibc would keep it after the first one, between small pieces that
  // stay.
  ::mallopt(M_MMAP_THRESHOLD, kOwnMapping);
  const ModelChoice choice = choose(options);
  require_verifiable(options, choice);
  check_output(options, choice);
  const merge::MergedWeights weights(model::open_checkpoint(choice.folder, at::kFloat), *choice.adapter, options.dtype);
  const at::ScalarType dtype = most_frequent_type(weights);
  Written written;
  write_folder_atomically(options.output, [&](const fs::path& unfinished) {
    adapter::copy_companions(choice.folder, unfinished);
    const auto name = options.dtype ? std::optional<std::string>(type_name(*options.dtype)) : std::nullopt;
    adapter::write_merged_config(choice.folder, unfinished, name, weights.is_untied());
    write_text_atomically(unfinished / "README.md",
                          merge::model_card(merge::card_facts(choice.name, *choice.adapter, type_name(dtype))));
    written = write_weights(weights, unfinished, static_cast<std::size_t>(options.shard_bytes));
  });
  std::printf("%s: %s with %zu merged layers (%s), %s, %.1f MB in %zu file%s\n", options.output.c_str(),
              choice.name.c_str(), weights.merged_layers(), adapter::describe(choice.adapter->config.lora).c_str(),
              type_name(dtype), static_cast<double>(written.bytes) / 1e6, written.files, written.files == 1 ? "" : "s");
  std::fflush(stdout);
  if (options.verify) { verify(options, choice, dtype); }
  std::fflush(stdout);
  require_written_output();
  return 0;
}

}  // namespace mdl::worker
