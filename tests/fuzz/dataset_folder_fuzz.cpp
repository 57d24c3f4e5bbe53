// A dataset folder. The first byte of the input says what the rest is: 0 the Arrow file, 1 state.json.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "common/error.hpp"
#include "tests/fuzz/fuzz_input.hpp"
#include "worker/data/dataset_folder.hpp"

namespace fs = std::filesystem;

namespace {

/// A dataset folder in memory that is gone when the process ends.
class Scratch {
 public:
  Scratch() {
    std::string name = fs::is_directory("/dev/shm") ? "/dev/shm/mdl-fuzz-XXXXXX" : "/tmp/mdl-fuzz-XXXXXX";
    mdl::fuzz::claim(::mkdtemp(name.data()) != nullptr, "a folder can be made");
    folder_ = name;
    write("dataset_info.json", "{}");
  }
  ~Scratch() {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  void write(const char* name, std::string_view text) const { std::ofstream(folder_ / name, std::ios::binary) << text; }
  const fs::path& folder() const { return folder_; }

 private:
  fs::path folder_;
};

constexpr const char* kState = R"({"_data_files": [{"filename": "data-00000-of-00001.arrow"}]})";

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Scratch scratch;
  if (size == 0) return 0;
  const std::string_view rest = mdl::fuzz::text_of(data + 1, size - 1);
  scratch.write("state.json", data[0] == 1 ? rest : kState);
  scratch.write("data-00000-of-00001.arrow", data[0] == 1 ? "" : rest);
  try {
    const mdl::DatasetFolder dataset(scratch.folder());
    mdl::fuzz::claim(dataset.size() > 0, "a dataset has rows");
    for (std::int64_t row = 0; row < std::min<std::int64_t>(dataset.size(), 16); ++row) {
      const mdl::Sample sample = dataset.sample(row);
      mdl::fuzz::claim(sample.input_ids.size() == sample.labels.size(), "every token has a label");
      std::visit(
          [](const auto& wave) {
            for (const auto value : wave) static_cast<void>(static_cast<float>(value));
          },
          sample.waveform);
    }
  } catch (const mdl::Error&) {
  }
  return 0;
}
