#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace mdl::worker::formats {

/// A tensor as a safetensors header describes it. Knows nothing of LibTorch, so that `info` and the fuzzer need none.
struct SafetensorsTensor {
  std::string dtype;  ///< as the format spells it: "F32", "BF16", …
  std::vector<std::int64_t> shape;
  std::size_t begin = 0;  ///< bytes from the start of the file
  std::size_t end = 0;
};

/// The most that a header may have; the format's own limit.
inline constexpr std::uint64_t kMaxSafetensorsHeader = 100'000'000;

/// Parses a safetensors header: the JSON text between the length field and the data. `data_start` is where the data
/// begin in the file, `file_size` its length, both in bytes. Every name, dtype, shape and byte range is checked against
/// the file: no range may leave it, overlap another or disagree with its shape. Metadata go to `metadata`. Throws
/// UsageError naming `file`, the tensor and the fault.
std::map<std::string, SafetensorsTensor> parse_safetensors_header(std::string_view json, std::size_t data_start,
                                                                  std::size_t file_size, const std::string& file,
                                                                  std::map<std::string, std::string>& metadata);

/// Parses model.safetensors.index.json: the name of each tensor and of the file beside the index that holds it. Throws
/// UsageError naming `file` when there is no weight_map, or a file name in it is a path.
std::map<std::string, std::string> parse_safetensors_index(const std::string& json, const std::string& file);

}  // namespace mdl::worker::formats
