#include "worker/dataset/row_format.hpp"

namespace mdl::worker::dataset {

std::optional<RowFormat> row_format(const std::filesystem::path& path) {
  for (const RowFormat format : {RowFormat::csv, RowFormat::tsv, RowFormat::jsonl}) {
    if (path.extension() == row_ending(format)) { return format; }
  }
  return std::nullopt;
}

const char* row_ending(RowFormat format) {
  switch (format) {
    case RowFormat::tsv:
      return ".tsv";
    case RowFormat::jsonl:
      return ".jsonl";
    case RowFormat::csv:
      break;
  }
  return ".csv";
}

}  // namespace mdl::worker::dataset
