#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "worker/text/tokenizer/bpe.hpp"

namespace mdl::worker::convert {

/// How a dataset folder stores waveforms, in the column input_values:
/// - float32: list<float>, in [-1, 1], as the Python tool. Clips that were padded to the longest of their group are
///   stored with the padding.
/// - pcm16: list<int16>, samples times 32768, rounded, clamped to int16; a reader divides by 32768. Without padding.
/// Half
///   the size; what was 16-bit mono at the model's rate comes back bit by bit. The Python tool cannot train on it.
/// The type of the column tells a reader which it is.
enum class AudioEncoding { float32, pcm16 };

/// A converted row.
struct ConvertedRow {
  std::vector<text::tokenizer::TokenId> input_ids;
  std::vector<std::int64_t> labels;
  std::vector<float> waveform;
};

/// The columns of a dataset folder and their order: input_ids list<int32>, attention_mask list<int8>, input_values,
/// audio_length int64, labels list<int64>, with the description that Hugging Face's datasets keeps in the metadata.
std::shared_ptr<arrow::Schema> dataset_schema(AudioEncoding encoding);

/// Rows as a record batch. They are padded to the longest of them, as the Python tool does with the rows that it
/// tokenizes together: ids on the left with `pad_token` (mask 0, label -100), float32 waveforms on the right with
/// zeros; audio_length is the clip's own. Throws Error when the batch would pass Arrow's limit of 2^31 values.
std::shared_ptr<arrow::RecordBatch> make_record_batch(const std::vector<ConvertedRow>& rows,
                                                      text::tokenizer::TokenId pad_token, AudioEncoding encoding);

/// "data-00002-of-00010.arrow".
std::string shard_name(std::size_t shard, std::size_t shards);

/// Writes one data file, an Arrow IPC stream, under a temporary name and renames it when it is whole and on the disk.
/// `fill` is given a function that writes a record batch. Throws Error, for example when the disk is full; then, as
/// when `fill` throws, there is no file.
void write_shard(const std::filesystem::path& path, AudioEncoding encoding,
                 const std::function<void(const std::function<void(const arrow::RecordBatch&)>&)>& fill);

/// Writes dataset_info.json and state.json, which make a folder of data files a dataset of Hugging Face's
/// (datasets.load_from_disk). `fingerprint`: 16 hex digits that name its content.
void write_dataset_description(const std::filesystem::path& folder, AudioEncoding encoding, std::size_t shards,
                               std::int64_t rows, std::int64_t bytes, const std::string& fingerprint);

}  // namespace mdl::worker::convert
