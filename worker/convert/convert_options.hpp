#pragma once

#include <cstdint>
#include <filesystem>

#include "worker/convert/dataset_writer.hpp"
#include "worker/convert/row_options.hpp"

namespace mdl::worker::convert {

/// --tokenizing-batch-size: rows that are padded together.
inline constexpr std::size_t kDefaultGroupSize = 8;

/// What a conversion is told: convert-dataset's command line, or train's for a file of rows.
struct ConvertOptions : RowOptions {
  std::filesystem::path input;         ///< file of rows
  std::filesystem::path output;        ///< dataset folder
  std::filesystem::path model_folder;  ///< checkpoint whose tokenizer, chat template and audio settings are used
  std::size_t group_size = kDefaultGroupSize;
  AudioEncoding encoding = AudioEncoding::float32;
  std::int64_t max_shard_bytes = 500'000'000;
  bool keep_same = false;   ///< a dataset of the same input, options and checkpoint in place of `output` stays as it is
  bool may_replace = true;  ///< else a dataset of another input, options or checkpoint in that place is an error
  bool skip_bad_rows = false;  ///< bad rows are left out, with a warning each, instead of ending the conversion
};

}  // namespace mdl::worker::convert
