#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace mdl::worker::generation {

/// How answers are generated: what a checkpoint's generation_config.json says, with transformers' names and defaults.
struct GenerationConfig {
  bool do_sample = false;
  double temperature = 1.0;  ///< these four only where do_sample is set
  int64_t top_k = 50;        ///< 0: all
  double top_p = 1.0;
  double min_p = 0.0;
  double repetition_penalty = 1.0;
  std::vector<int64_t> eos_token_ids;     ///< each ends an answer; without one only the limits do
  int64_t min_new_tokens = 0;             ///< no end before so many tokens
  std::optional<int64_t> max_new_tokens;  ///< tokens of an answer, at most

  std::vector<std::string> notes;  ///< for the user: what of the file has no effect
};

/// Reads FOLDER/generation_config.json; without that file, the tokens that end an answer come from config.json, as in
/// transformers. Throws UsageError naming file and key for a value that makes no sense and for everything that
/// transformers would do and this program does not (beams, stop strings, suppressed tokens, …): nothing is left out
/// silently. Keys that transformers does not know either become a note.
GenerationConfig load_generation_config(const std::filesystem::path& model_folder);

}  // namespace mdl::worker::generation
