#include "worker/convert/dataset_writer.hpp"

#include <arrow/api.h>
#include <arrow/io/file.h>
#include <arrow/ipc/writer.h>
#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/dataset/label.hpp"

namespace mdl::worker::convert {
namespace fs = std::filesystem;
namespace {

void check(const arrow::Status& status, const std::string& doing) {
  if (!status.ok()) { throw Error(str_cat("cannot ", doing, ": ", status.message())); }
}

nlohmann::ordered_json features(AudioEncoding encoding) {
  const auto list = [](const char* dtype) {
    return nlohmann::ordered_json{{"feature", {{"dtype", dtype}, {"_type", "Value"}}}, {"_type", "List"}};
  };
  return {{"input_ids", list("int32")},
          {"attention_mask", list("int8")},
          {"input_values", list(encoding == AudioEncoding::pcm16 ? "int16" : "float32")},
          {"audio_length", {{"dtype", "int64"}, {"_type", "Value"}}},
          {"labels", list("int64")}};
}

/// A list column that is being filled: all values in one buffer, and where each row ends.
template <typename ArrowType>
class ListBuilder {
 public:
  using Value = typename ArrowType::c_type;

  ListBuilder(std::size_t rows, std::size_t values) {
    if (values > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
      throw Error(str_cat("the rows of one group hold ", values, " values, and a record batch takes 2147483647"),
                  "Lower --tokenizing-batch-size.");
    }
    values_ = allocate(values * sizeof(Value));
    offsets_ = allocate((rows + 1) * sizeof(std::int32_t));
    offset(0) = 0;
  }

  /// Room for the next row's values.
  Value* add(std::size_t count) {
    Value* begin = reinterpret_cast<Value*>(values_->mutable_data()) + offset(rows_);
    offset(rows_ + 1) = offset(rows_) + static_cast<std::int32_t>(count);
    ++rows_;
    return begin;
  }

  std::shared_ptr<arrow::Array> finish() {
    auto values = std::make_shared<arrow::NumericArray<ArrowType>>(offset(rows_), values_);
    return std::make_shared<arrow::ListArray>(arrow::list(std::make_shared<ArrowType>()),
                                              static_cast<std::int64_t>(rows_), offsets_, values);
  }

 private:
  static std::shared_ptr<arrow::Buffer> allocate(std::size_t bytes) {
    auto buffer = arrow::AllocateBuffer(static_cast<std::int64_t>(bytes));
    check(buffer.status(), "set memory aside for a group of rows");
    return std::move(*buffer);
  }
  std::int32_t& offset(std::size_t row) { return reinterpret_cast<std::int32_t*>(offsets_->mutable_data())[row]; }

  std::size_t rows_ = 0;
  std::shared_ptr<arrow::Buffer> values_, offsets_;
};

std::int16_t to_pcm16(float sample) {
  return static_cast<std::int16_t>(std::clamp(std::lrint(static_cast<double>(sample) * 32768.0), -32768L, 32767L));
}

}  // namespace

std::shared_ptr<arrow::Schema> dataset_schema(AudioEncoding encoding) {
  const auto values = encoding == AudioEncoding::pcm16 ? arrow::int16() : arrow::float32();
  const nlohmann::ordered_json info = {{"info", {{"features", features(encoding)}}}};
  return arrow::schema(
      {arrow::field("input_ids", arrow::list(arrow::int32())),
       arrow::field("attention_mask", arrow::list(arrow::int8())), arrow::field("input_values", arrow::list(values)),
       arrow::field("audio_length", arrow::int64()), arrow::field("labels", arrow::list(arrow::int64()))},
      arrow::key_value_metadata({"huggingface"}, {info.dump()}));
}

std::shared_ptr<arrow::RecordBatch> make_record_batch(const std::vector<ConvertedRow>& rows,
                                                      text::tokenizer::TokenId pad_token, AudioEncoding encoding) {
  std::size_t tokens = 0, samples = 0, all_samples = 0;
  for (const ConvertedRow& row : rows) {
    tokens = std::max(tokens, row.input_ids.size());
    samples = std::max(samples, row.waveform.size());
    all_samples += row.waveform.size();
  }
  const bool pcm16 = encoding == AudioEncoding::pcm16;
  ListBuilder<arrow::Int32Type> ids(rows.size(), rows.size() * tokens);
  ListBuilder<arrow::Int8Type> mask(rows.size(), rows.size() * tokens);
  ListBuilder<arrow::Int64Type> labels(rows.size(), rows.size() * tokens);
  ListBuilder<arrow::FloatType> floats(rows.size(), pcm16 ? 0 : rows.size() * samples);
  ListBuilder<arrow::Int16Type> shorts(rows.size(), pcm16 ? all_samples : 0);
  arrow::Int64Builder lengths;
  for (const ConvertedRow& row : rows) {
    const std::size_t padding = tokens - row.input_ids.size();
    std::copy(row.input_ids.begin(), row.input_ids.end(), std::fill_n(ids.add(tokens), padding, pad_token));
    std::fill_n(std::fill_n(mask.add(tokens), padding, std::int8_t{0}), row.input_ids.size(), std::int8_t{1});
    std::copy(row.labels.begin(), row.labels.end(), std::fill_n(labels.add(tokens), padding, dataset::kIgnoredLabel));
    if (pcm16) {
      std::transform(row.waveform.begin(), row.waveform.end(), shorts.add(row.waveform.size()), to_pcm16);
    } else {
      std::fill_n(std::copy(row.waveform.begin(), row.waveform.end(), floats.add(samples)),
                  samples - row.waveform.size(), 0.0F);
    }
    check(lengths.Append(static_cast<std::int64_t>(row.waveform.size())), "build a column");
  }
  auto length_column = lengths.Finish();
  check(length_column.status(), "build a column");
  return arrow::RecordBatch::Make(
      dataset_schema(encoding), static_cast<std::int64_t>(rows.size()),
      {ids.finish(), mask.finish(), pcm16 ? shorts.finish() : floats.finish(), *length_column, labels.finish()});
}

std::string shard_name(std::size_t shard, std::size_t shards) {
  std::array<char, 64> name{};
  std::snprintf(name.data(), name.size(), "data-%05zu-of-%05zu.arrow", shard, shards);
  return name.data();
}

void write_shard(const fs::path& path, AudioEncoding encoding,
                 const std::function<void(const std::function<void(const arrow::RecordBatch&)>&)>& fill) {
  const std::string doing = "write " + path.string();
  write_atomically(path, [&](const fs::path& temporary) {
    auto file = arrow::io::FileOutputStream::Open(temporary.string());
    check(file.status(), doing);
    auto writer = arrow::ipc::MakeStreamWriter(*file, dataset_schema(encoding));
    check(writer.status(), doing);
    std::int64_t sent = 0;
    fill([&](const arrow::RecordBatch& batch) {
      check((*writer)->WriteRecordBatch(batch), doing);
      // The disk works while the next groups are made; else all of it would be left to the sync at the end.
      constexpr std::int64_t kPiece = 8 << 20;
      const auto written = (*file)->Tell();
      if (!written.ok() || *written < sent + kPiece) { return; }
      ::sync_file_range((*file)->file_descriptor(), sent, *written - sent, SYNC_FILE_RANGE_WRITE);
      sent = *written;
    });
    check((*writer)->Close(), doing);
    check((*file)->Close(), doing);
  });
}

void write_dataset_description(const fs::path& folder, AudioEncoding encoding, std::size_t shards, std::int64_t rows,
                               std::int64_t bytes, const std::string& fingerprint) {
  using nlohmann::ordered_json;
  const char* note = encoding == AudioEncoding::pcm16 ? "input_values are 16-bit samples: divide by 32768." : "";
  const ordered_json info = {
      {"builder_name", "csv"},
      {"citation", ""},
      {"config_name", "default"},
      {"dataset_name", "csv"},
      {"dataset_size", bytes},
      {"description", note},
      {"features", features(encoding)},
      {"homepage", ""},
      {"license", ""},
      {"splits",
       {{"train", {{"name", "train"}, {"num_bytes", bytes}, {"num_examples", rows}, {"dataset_name", "csv"}}}}},
      {"version", {{"version_str", "0.0.0"}, {"major", 0}, {"minor", 0}, {"patch", 0}}}};
  ordered_json files = ordered_json::array();
  for (std::size_t shard = 0; shard < shards; ++shard) { files.push_back({{"filename", shard_name(shard, shards)}}); }
  const ordered_json state = {{"_data_files", files},       {"_fingerprint", fingerprint},
                              {"_format_columns", nullptr}, {"_format_kwargs", ordered_json::object()},
                              {"_format_type", nullptr},    {"_output_all_columns", false},
                              {"_split", "train"}};
  write_text_atomically(folder / "dataset_info.json", info.dump(2));
  write_text_atomically(folder / "state.json", state.dump(2));
}

}  // namespace mdl::worker::convert
