#pragma once

#include <arrow/api.h>
#include <arrow/io/file.h>
#include <arrow/ipc/writer.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace mdl::test {

inline void arrow_ok(const arrow::Status& status) {
  if (!status.ok()) { throw std::runtime_error(status.ToString()); }
}

/// A column of lists; `Builder` builds the values: arrow::Int32Builder, arrow::FloatBuilder, …; `Lists` the lists.
template <typename Builder, typename Value, typename Lists = arrow::ListBuilder>
std::shared_ptr<arrow::Array> list_column(const std::vector<std::vector<Value>>& rows) {
  auto values = std::make_shared<Builder>();
  Lists builder(arrow::default_memory_pool(), values);
  for (const auto& row : rows) {
    arrow_ok(builder.Append());
    for (const Value& value : row) { arrow_ok(values->Append(value)); }
  }
  return *builder.Finish();
}

template <typename Builder, typename Value>
std::shared_ptr<arrow::Array> column(const std::vector<Value>& rows) {
  Builder builder;
  for (const Value& row : rows) { arrow_ok(builder.Append(row)); }
  return *builder.Finish();
}

using Columns = std::vector<std::pair<std::string, std::shared_ptr<arrow::Array>>>;

/// Writes FOLDER as Hugging Face's save_to_disk does, one record batch a file.
inline void write_dataset(const std::filesystem::path& folder, const std::vector<Columns>& files) {
  std::filesystem::create_directories(folder);
  std::string list;
  for (size_t i = 0; i < files.size(); ++i) {
    const std::string name = "data-0000" + std::to_string(i) + "-of-0000" + std::to_string(files.size()) + ".arrow";
    list += (i ? ", " : "") + std::string("{\"filename\": \"") + name + "\"}";
    arrow::FieldVector fields;
    arrow::ArrayVector arrays;
    for (const auto& [field, array] : files[i]) {
      fields.push_back(arrow::field(field, array->type()));
      arrays.push_back(array);
    }
    const auto schema = arrow::schema(fields);
    const auto batch = arrow::RecordBatch::Make(schema, arrays.front()->length(), arrays);
    const auto file = *arrow::io::FileOutputStream::Open((folder / name).string());
    const auto writer = *arrow::ipc::MakeStreamWriter(file, schema);
    arrow_ok(writer->WriteRecordBatch(*batch));
    arrow_ok(writer->Close());
    arrow_ok(file->Close());
  }
  std::ofstream(folder / "state.json") << "{\"_data_files\": [" << list << "]}";
  std::ofstream(folder / "dataset_info.json") << "{}";
}

/// Two clips, of 3 tokens and 4 samples and of 2 tokens and 2 samples, as convert-dataset types them.
inline Columns two_clips() {
  return {{"input_ids", list_column<arrow::Int32Builder, int32_t>({{5, 6, 7}, {8, 9}})},
          {"attention_mask", list_column<arrow::Int8Builder, int8_t>({{0, 1, 1}, {1, 1}})},
          {"input_values", list_column<arrow::FloatBuilder, float>({{0.5f, 0.25f, 0.0f, 0.0f}, {1.0f, -1.0f}})},
          {"audio_length", column<arrow::Int64Builder, int64_t>({2, 2})},
          {"labels", list_column<arrow::Int64Builder, int64_t>({{-100, -100, 7}, {-100, 9}})}};
}

/// The same columns with one of them replaced.
inline Columns with(Columns columns, const std::string& name, const std::shared_ptr<arrow::Array>& array) {
  for (auto& [field, old] : columns) {
    if (field == name) { old = array; }
  }
  return columns;
}

}  // namespace mdl::test
