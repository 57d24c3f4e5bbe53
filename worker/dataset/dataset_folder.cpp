#include "worker/dataset/dataset_folder.hpp"

#include <arrow/api.h>
#include <arrow/io/file.h>
#include <arrow/ipc/reader.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/dataset/arrow_column.hpp"

namespace mdl::worker::dataset {
namespace fs = std::filesystem;

/// One record batch with its columns found and checked.
struct DatasetFolder::Chunk {
  int64_t first_row;  ///< in the whole dataset
  int64_t rows;
  std::string file;  ///< its name in the folder
  std::shared_ptr<arrow::RecordBatch> batch;
  ListColumn input_ids, attention_mask, labels, input_values;
  std::shared_ptr<arrow::Array> audio_length;
};

namespace {

constexpr const char* kConvertAdvice =
    "Write the dataset with `mdl-toolkit convert-dataset` and give the folder that its --output names.";

}  // namespace

std::vector<fs::path> list_data_files(const fs::path& folder) {
  if (!fs::exists(folder)) { throw UsageError(str_cat("no dataset folder ", folder.string()), kConvertAdvice); }
  if (!fs::is_directory(folder)) {
    throw UsageError(str_cat(folder.string(), " is a file, not a dataset folder"), kConvertAdvice);
  }
  if (fs::exists(folder / "dataset_dict.json")) {
    throw UsageError(str_cat(folder.string(), " holds several splits (dataset_dict.json)"),
                     str_cat("Give the folder of one split, for example ", (folder / "train").string(), "."));
  }
  for (const char* name : {"state.json", "dataset_info.json"}) {
    if (!fs::exists(folder / name)) {
      throw UsageError(str_cat(folder.string(), " is not a dataset folder: it has no ", name), kConvertAdvice);
    }
  }
  const fs::path state_file = folder / "state.json";
  try {
    const auto state = nlohmann::json::parse(read_text(state_file));
    std::vector<fs::path> files;
    for (const auto& entry : state.at("_data_files")) {
      files.push_back(folder / entry.at("filename").get<std::string>());
    }
    return files;
  } catch (const nlohmann::json::exception& error) {
    throw UsageError(str_cat(state_file.string(), " does not list the data files: ", error.what()), kConvertAdvice);
  }
}

namespace {

/// An Arrow stream ends with a continuation marker and a zero length. A file cut between two record batches reads
/// without an error, as if it were whole; only the missing end mark shows it.
bool has_end_mark(const fs::path& file) {
  constexpr std::array<unsigned char, 8> kEndMark = {0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0};
  std::ifstream in(file, std::ios::binary);
  std::array<char, 8> tail{};
  if (!in.seekg(-8, std::ios::end) || !in.read(tail.data(), tail.size())) { return false; }
  return std::memcmp(tail.data(), kEndMark.data(), tail.size()) == 0;
}

[[noreturn]] void reject_file(const fs::path& file, const std::string& why) {
  throw UsageError(str_cat("cannot read dataset file ", file.string(), ": ", why),
                   "The file is truncated or damaged; convert or copy the dataset again.");
}

std::vector<std::shared_ptr<arrow::RecordBatch>> read_batches(const fs::path& file) {
  const auto check = [&](const arrow::Status& status) {
    if (!status.ok()) { reject_file(file, status.message()); }
  };
  std::error_code error;
  if (!fs::exists(file, error)) {
    reject_file(file, error ? error.message() : std::string("no such file, though state.json lists it"));
  }
  if (const std::string other = describe_no_file(file); !other.empty()) {
    reject_file(file, str_cat("it is ", other, ", not a file"));
  }
  auto mapped = arrow::io::MemoryMappedFile::Open(file.string(), arrow::io::FileMode::READ);
  check(mapped.status());
  auto reader = arrow::ipc::RecordBatchStreamReader::Open(*mapped);
  check(reader.status());
  auto batches = (*reader)->ToRecordBatches();
  check(batches.status());
  if (!has_end_mark(file)) { reject_file(file, "the end mark of the Arrow stream is missing"); }
  for (const auto& batch : *batches) { check(batch->ValidateFull()); }
  return *batches;
}

std::shared_ptr<arrow::Array> column(const arrow::RecordBatch& batch, const char* name, const fs::path& file) {
  if (auto array = batch.GetColumnByName(name)) { return array; }
  std::string present;
  for (const auto& field : batch.schema()->fields()) { present += (present.empty() ? "" : ", ") + field->name(); }
  throw UsageError(str_cat("dataset file ", file.string(), " has no column \"", name, "\"; it has: ", present),
                   kConvertAdvice);
}

ListColumn list_column(const arrow::RecordBatch& batch, const char* name, bool (*accepts)(const arrow::DataType&),
                       const char* expected, const fs::path& file) {
  const auto array = column(batch, name, file);
  auto list = ListColumn::of(array);
  if (!list || !accepts(*list->values()->type())) {
    throw UsageError(str_cat("column \"", name, "\" of dataset file ", file.string(), " is ", array->type()->ToString(),
                             ", expected a list of ", expected),
                     kConvertAdvice);
  }
  return *list;
}

}  // namespace

DatasetFolder::DatasetFolder(const fs::path& folder) : folder_(folder) {
  int64_t rows = 0;
  for (const fs::path& file : list_data_files(folder)) {
    for (const auto& batch : read_batches(file)) {
      const auto length = column(*batch, "audio_length", file);
      if (!holds_integers(*length->type())) {
        throw UsageError(str_cat("column \"audio_length\" of dataset file ", file.string(), " is ",
                                 length->type()->ToString(), ", expected an integer"),
                         kConvertAdvice);
      }
      chunks_.push_back(std::make_unique<Chunk>(Chunk{
          rows, batch->num_rows(), file.filename().string(), batch,
          list_column(*batch, "input_ids", holds_integers, "integers", file),
          list_column(*batch, "attention_mask", holds_integers, "integers", file),
          list_column(*batch, "labels", holds_integers, "integers", file),
          list_column(*batch, "input_values", holds_waveform, "float16, float32, float64 or int16", file), length}));
      check_rows(*chunks_.back(), file);
      rows += batch->num_rows();
    }
  }
  if (rows == 0) { throw UsageError(str_cat("the dataset ", folder.string(), " has no rows"), kConvertAdvice); }
}

DatasetFolder::~DatasetFolder() = default;
DatasetFolder::DatasetFolder(DatasetFolder&&) noexcept = default;
DatasetFolder& DatasetFolder::operator=(DatasetFolder&&) noexcept = default;

void DatasetFolder::check_rows(const Chunk& chunk, const fs::path& file) {
  for (int64_t row = 0; row < chunk.rows; ++row) {
    const auto reject = [&](const char* column_name, const std::string& why) {
      throw UsageError(str_cat("row ", chunk.first_row + row, " of the dataset, column \"", column_name, "\": ", why,
                               " (file ", file.string(), ")"),
                       "Remove the row from the data that the dataset was made from and convert it again.");
    };
    const std::pair<const char*, const ListColumn*> lists[] = {{"input_ids", &chunk.input_ids},
                                                               {"attention_mask", &chunk.attention_mask},
                                                               {"labels", &chunk.labels},
                                                               {"input_values", &chunk.input_values}};
    for (const auto& [name, list] : lists) {
      if (list->is_null(row)) { reject(name, "the value is missing"); }
      if (const auto null = list->first_null(row)) {
        reject(name, str_cat("value ", *null, " of the list is missing (null)"));
      }
    }
    const int64_t tokens = chunk.input_ids.length(row);
    if (tokens == 0) { reject("input_ids", "no tokens"); }
    for (const auto& [name, list] : std::initializer_list<std::pair<const char*, const ListColumn*>>{
             {"attention_mask", &chunk.attention_mask}, {"labels", &chunk.labels}}) {
      if (list->length(row) != tokens) {
        reject(name, str_cat(list->length(row), " values for ", tokens, " tokens in input_ids"));
      }
    }
    const int64_t stored = chunk.input_values.length(row);
    if (stored == 0) { reject("input_values", "the audio has zero samples"); }
    const int64_t length = read_integers(*chunk.audio_length, row, row + 1).front();
    if (chunk.audio_length->IsNull(row)) { reject("audio_length", "the value is missing"); }
    if (length <= 0) { reject("audio_length", "the audio has zero samples"); }
    if (length > stored) { reject("audio_length", str_cat(length, " samples, but input_values holds only ", stored)); }
  }
}

int64_t DatasetFolder::size() const {
  return chunks_.back()->first_row + chunks_.back()->rows;
}

const DatasetFolder::Chunk& DatasetFolder::chunk_of(int64_t row) const {
  if (row < 0 || row >= size()) { throw Error(str_cat("row ", row, " is outside the dataset ", folder_.string())); }
  const auto after = std::upper_bound(chunks_.begin(), chunks_.end(), row,
                                      [](int64_t wanted, const auto& chunk) { return wanted < chunk->first_row; });
  return **std::prev(after);
}

std::string DatasetFolder::describe(int64_t row) const {
  return str_cat("row ", row, " of ", folder_.string(), " (file ", chunk_of(row).file, ")");
}

Sample DatasetFolder::sample(int64_t row) const {
  const Chunk& chunk = chunk_of(row);
  const int64_t at = row - chunk.first_row;
  const auto integers = [&](const ListColumn& list) {
    return read_integers(*list.values(), list.begin(at), list.end(at));
  };
  return {
      .input_ids = integers(chunk.input_ids),
      .attention_mask = integers(chunk.attention_mask),
      .labels = integers(chunk.labels),
      .waveform = read_waveform(*chunk.input_values.values(), chunk.input_values.begin(at), chunk.input_values.end(at)),
      .audio_length = read_integers(*chunk.audio_length, at, at + 1).front()};
}

}  // namespace mdl::worker::dataset
