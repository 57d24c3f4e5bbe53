#pragma once

#include <filesystem>
#include <string>

namespace mdl::worker::cli {

class OptionValues;

/// What --model-name is where a command does without it.
inline constexpr const char* kDefaultModel = "mispeech/midashenglm-7b";

/// The folder that `--model-name` means: a folder of that name, else the newest snapshot of the Hugging Face model of
/// that name in the local hub cache (HF_HUB_CACHE, HF_HOME/hub or ~/.cache/huggingface/hub). Nothing is downloaded.
/// Throws UsageError when there is neither.
std::filesystem::path find_model_folder(const std::string& name);

/// Throws UsageError for --from-modelscope true.
void refuse_download(const OptionValues& values);

}  // namespace mdl::worker::cli
