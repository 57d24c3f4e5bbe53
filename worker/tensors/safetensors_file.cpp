#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "common/unique_fd.hpp"
#include "worker/formats/safetensors_header.hpp"
#include "worker/tensors/safetensors.hpp"
#include "worker/tensors/safetensors_dtype.hpp"

namespace mdl::worker::tensors {
namespace {

constexpr size_t kLengthField = 8;  ///< little-endian header length at the start of the file

struct Mapping {
  std::shared_ptr<std::byte> bytes;
  size_t size;
};

Mapping map_file(const std::filesystem::path& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));  // a pipe is refused, not waited for
  if (!fd) { throw UsageError(describe_errno("open", path.string(), errno)); }
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) { throw UsageError(describe_errno("stat", path.string(), errno)); }
  if (!S_ISREG(status.st_mode)) { throw UsageError(str_cat(path.string(), " is not a file")); }
  const auto size = static_cast<size_t>(status.st_size);
  if (size < kLengthField) {
    throw UsageError(str_cat(path.string(), ": the file is truncated: ", size, " bytes are no safetensors file"));
  }
  // Private and writable: a merge writes into the tensors, and that must reach this process alone. No memory is set
  // aside for copies of pages, of which most are never written.
  void* address = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, fd.get(), 0);
  if (address == MAP_FAILED) { throw Error(describe_errno("map", path.string(), errno)); }
  return {{static_cast<std::byte*>(address), [size](std::byte* start) { ::munmap(start, size); }}, size};
}

}  // namespace

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path) : path_(path) {
  const auto [bytes, size] = map_file(path);
  mapping_ = bytes;
  uint64_t header = 0;
  std::memcpy(&header, bytes.get(), kLengthField);  // every supported machine is little-endian
  if (header > formats::kMaxSafetensorsHeader) {
    throw UsageError(str_cat(path.string(), ": broken safetensors file: it claims a header of ", header, " bytes"),
                     "Is it really a safetensors file?");
  }
  if (header > size - kLengthField) {
    throw UsageError(
        str_cat(path.string(), ": the file is truncated: its header has ", header, " bytes, the file ", size),
        "Was a download or a copy cut off? Fetch the file again.");
  }
  const std::string_view text(reinterpret_cast<const char*>(bytes.get()) + kLengthField, header);
  for (auto& [name, tensor] :
       formats::parse_safetensors_header(text, kLengthField + header, size, path.string(), metadata_)) {
    const auto type = safetensors_dtype(tensor.dtype);
    if (!type) {
      throw UsageError(
          str_cat(path.string(), ": tensor \"", name, "\": the dtype \"", tensor.dtype, "\" is not supported"));
    }
    entries_.emplace(name, SafetensorsEntry{*type, tensor.shape, tensor.begin, tensor.end});
  }
}

at::Tensor SafetensorsFile::tensor(const std::string& name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) { throw UsageError(str_cat(path_.string(), " has no tensor \"", name, "\"")); }
  const auto& entry = found->second;
  std::byte* data = mapping_.get() + entry.begin;
  if (entry.begin % c10::elementSize(entry.dtype) != 0) {  // allowed by the format, not by the processor
    at::Tensor aligned = at::empty(entry.shape, entry.dtype);
    std::memcpy(aligned.mutable_data_ptr(), data, entry.end - entry.begin);
    return aligned;
  }
  return at::from_blob(data, entry.shape, [keep = mapping_](void*) {}, entry.dtype);
}

void SafetensorsFile::read_ahead(const std::string& name) const {
  const auto& entry = entries_.at(name);
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const size_t begin = entry.begin / page * page;
  ::madvise(mapping_.get() + begin, entry.end - begin, MADV_WILLNEED);  // where it fails, nothing is lost but time
}

}  // namespace mdl::worker::tensors
