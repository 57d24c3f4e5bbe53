#include "worker/info/tensor_files.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>
#include <utility>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/formats/json_file.hpp"
#include "worker/formats/safetensors_header.hpp"

namespace mdl::worker::info {
namespace fs = std::filesystem;
namespace {

void read_file(const fs::path& path, std::vector<TensorInfo>& tensors) {
  const auto refuse = [&](const std::string& why) {
    throw Error(str_cat(path.string(), " is damaged: ", why), "Copy it again from where it came from.");
  };
  if (const std::string other = describe_no_file(path); !other.empty()) {
    throw Error(str_cat(path.string(), " is ", other, ", not a file of weights"));
  }
  const auto size = static_cast<std::uint64_t>(fs::file_size(path));
  std::ifstream in(path, std::ios::binary);
  std::array<unsigned char, 8> prefix{};
  if (!in.read(reinterpret_cast<char*>(prefix.data()), prefix.size())) { refuse("it is shorter than 8 bytes"); }
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < prefix.size(); ++i) { length |= static_cast<std::uint64_t>(prefix[i]) << (8 * i); }
  if (length > formats::kMaxSafetensorsHeader || length + 8 > size) { refuse("its header is longer than the file"); }
  std::string header(length, '\0');
  if (!in.read(header.data(), static_cast<std::streamsize>(length))) { refuse("its header cannot be read"); }
  std::map<std::string, std::string> metadata;
  for (const auto& [name, tensor] :
       formats::parse_safetensors_header(header, 8 + length, size, path.string(), metadata)) {
    tensors.push_back({name, tensor.dtype, tensor.shape, static_cast<std::int64_t>(tensor.end - tensor.begin)});
  }
}

/// False for a link to nothing, or to itself.
bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

/// The weights in the folder that are there, or those that are broken links, sorted.
std::vector<fs::path> list_weights(const fs::path& folder, bool there) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const fs::path& path = entry.path();
    if (path.extension() == ".safetensors" && is_there(path) == there) { files.push_back(path); }
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

std::int64_t TensorInfo::elements() const {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

std::vector<TensorInfo> read_tensor_infos(const fs::path& folder) {
  std::vector<TensorInfo> tensors;
  for (const fs::path& file : list_weights(folder, true)) { read_file(file, tensors); }
  return tensors;
}

std::vector<std::string> broken_links(const fs::path& folder) {
  std::vector<std::string> names;
  for (const fs::path& file : list_weights(folder, false)) { names.push_back(file.filename().string()); }
  return names;
}

std::vector<TensorInfo> read_tensor_infos_of(const fs::path& file) {
  std::vector<TensorInfo> tensors;
  if (is_there(file)) { read_file(file, tensors); }
  return tensors;
}

std::optional<IndexedWeights> read_weights_index(const fs::path& folder) {
  const fs::path index = folder / "model.safetensors.index.json";
  if (!is_there(index)) { return std::nullopt; }
  std::set<std::string> files;
  for (const auto& [tensor, file] : formats::parse_safetensors_index(read_text(index), index.string())) {
    files.insert(file);
  }
  const auto is_missing = [&](const std::string& file) { return !is_there(folder / file); };
  IndexedWeights weights{.files = std::ssize(files), .missing = std::ranges::count_if(files, is_missing), .bytes = {}};
  const auto metadata = formats::read_json(index).value("metadata", nlohmann::json());
  const auto size = metadata.is_object() ? metadata.find("total_size") : metadata.end();
  if (size != metadata.end() && size->is_number_unsigned()) {
    const auto bytes = size->get<std::uint64_t>();
    if (std::in_range<std::int64_t>(bytes)) { weights.bytes = static_cast<std::int64_t>(bytes); }
  }
  return weights;
}

TensorTotals total(const std::vector<TensorInfo>& tensors) {
  TensorTotals totals;
  std::set<std::string> dtypes;
  for (const TensorInfo& tensor : tensors) {
    ++totals.tensors;
    totals.elements += tensor.elements();
    totals.bytes += tensor.bytes;
    dtypes.insert(tensor.dtype);
  }
  for (const std::string& dtype : dtypes) { totals.dtypes += (totals.dtypes.empty() ? "" : " and ") + dtype; }
  return totals;
}

}  // namespace mdl::worker::info
