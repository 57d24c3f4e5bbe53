// A dataset folder. The first byte of the input says what the rest is: 0 the Arrow file, 1 state.json.
#include <algorithm>

#include "common/error.hpp"
#include "tests/fuzz/fuzz_input.hpp"
#include "tests/fuzz/scratch_folder.hpp"
#include "worker/dataset/dataset_folder.hpp"

namespace {

constexpr const char* kState = R"({"_data_files": [{"filename": "data-00000-of-00001.arrow"}]})";

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const mdl::fuzz::ScratchFolder scratch;
  if (size == 0) { return 0; }
  scratch.write("dataset_info.json", "{}");
  const std::string_view rest = mdl::fuzz::text_of(data + 1, size - 1);
  scratch.write("state.json", data[0] == 1 ? rest : kState);
  scratch.write("data-00000-of-00001.arrow", data[0] == 1 ? "" : rest);
  try {
    const mdl::worker::dataset::DatasetFolder dataset(scratch.path());
    mdl::fuzz::claim(dataset.size() > 0, "a dataset has rows");
    for (std::int64_t row = 0; row < std::min<std::int64_t>(dataset.size(), 16); ++row) {
      const mdl::worker::dataset::Sample sample = dataset.sample(row);
      mdl::fuzz::claim(sample.input_ids.size() == sample.labels.size(), "every token has a label");
      std::visit(
          [](const auto& wave) {
            for (const auto value : wave) { static_cast<void>(static_cast<float>(value)); }
          },
          sample.waveform);
    }
  } catch (const mdl::Error&) {}
  return 0;
}
