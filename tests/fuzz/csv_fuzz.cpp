// A CSV file of sounds and texts.
#include "common/error.hpp"
#include "tests/fuzz/fuzz_input.hpp"
#include "worker/dataset/csv.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = mdl::fuzz::text_of(data, size);
  try {
    std::int64_t line = 0;
    for (const mdl::worker::dataset::CsvRecord& record : mdl::worker::dataset::parse_csv(text)) {
      mdl::fuzz::claim(record.line > line, "lines only grow");
      mdl::fuzz::claim(!record.fields.empty(), "a record has a field");
      line = record.line;
    }
  } catch (const mdl::UsageError&) {}
  return 0;
}
