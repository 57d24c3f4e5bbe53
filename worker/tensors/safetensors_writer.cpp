#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "common/unique_fd.hpp"
#include "worker/tensors/safetensors.hpp"
#include "worker/tensors/safetensors_dtype.hpp"

namespace mdl::worker::tensors {
namespace {

void write_all(int fd, const void* data, size_t size, const std::string& file) {
  const auto* next = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t written = ::write(fd, next, std::min<size_t>(size, size_t{1} << 30));
    if (written < 0) {
      if (errno == EINTR) { continue; }
      throw Error(describe_errno("write", file, errno), "Is the disk full?");
    }
    next += written;
    size -= static_cast<size_t>(written);
  }
}

std::string header_text(const NamedTensors& tensors, const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header;
  if (!metadata.empty()) { header["__metadata__"] = metadata; }
  size_t offset = 0;
  for (const auto& [name, tensor] : tensors) {
    const auto type = safetensors_name(tensor.scalar_type());
    if (!type) { throw Error(str_cat("tensor \"", name, "\": safetensors has no type for ", tensor.scalar_type())); }
    if (header.contains(name)) { throw Error(str_cat("two tensors are named \"", name, "\"")); }
    const size_t end = offset + tensor.nbytes();
    header[name] = {{"dtype", *type}, {"shape", tensor.sizes().vec()}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');  // so that the data begin aligned
  return text;
}

}  // namespace

void save_safetensors(const std::filesystem::path& path, const NamedTensors& tensors,
                      const std::map<std::string, std::string>& metadata) {
  // Wide elements first: then each tensor lies at a multiple of its element's size.
  NamedTensors ordered = tensors;
  std::stable_sort(ordered.begin(), ordered.end(),
                   [](const auto& a, const auto& b) { return a.second.element_size() > b.second.element_size(); });
  const std::string header = header_text(ordered, metadata);
  write_atomically(path, [&](const std::filesystem::path& temporary) {
    const std::string file = temporary.string();
    const UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
    if (!fd) { throw Error(describe_errno("create", file, errno)); }
    const uint64_t length = header.size();
    write_all(fd.get(), &length, sizeof(length), file);
    write_all(fd.get(), header.data(), header.size(), file);
    for (const auto& [name, tensor] : ordered) {
      const at::Tensor plain = tensor.detach().cpu().contiguous();
      write_all(fd.get(), plain.const_data_ptr(), plain.nbytes(), file);
    }
  });
}

}  // namespace mdl::worker::tensors
