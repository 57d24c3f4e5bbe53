#include "worker/tensors/torch_archive.hpp"

#include <caffe2/serialize/in_memory_adapter.h>
#include <caffe2/serialize/inline_container.h>
#include <fcntl.h>
#include <torch/csrc/jit/serialization/pickler.h>
#include <unistd.h>

#include <cerrno>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "common/unique_fd.hpp"

namespace mdl::worker::tensors {
namespace {

namespace fs = std::filesystem;

/// Bytes go here. After a failure the rest is swallowed: the archive writer closes the archive in its destructor, where
/// it could not report anything.
class Sink {
 public:
  explicit Sink(const fs::path& file)
      : fd_(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)), error_(fd_ ? 0 : errno) {}

  size_t write(const void* data, size_t size) {
    const auto* next = static_cast<const char*>(data);
    for (size_t left = size; left > 0 && error_ == 0;) {
      const ssize_t written = ::write(fd_.get(), next, left);
      if (written < 0 && errno == EINTR) { continue; }
      if (written < 0) {
        error_ = errno;
        break;
      }
      next += written;
      left -= static_cast<size_t>(written);
    }
    return size;
  }

  int error() const { return error_; }

 private:
  UniqueFd fd_;
  int error_;
};

}  // namespace

void write_torch_archive(const fs::path& file, const std::string& pickle, const std::vector<at::Tensor>& tensors) {
  write_atomically(file, [&](const fs::path& temporary) {
    Sink sink(temporary);
    {
      caffe2::serialize::PyTorchStreamWriter archive(
          [&](const void* data, size_t size) { return sink.write(data, size); });
      archive.writeRecord("data.pkl", pickle.data(), pickle.size());
      constexpr std::string_view kByteOrder = "little";
      archive.writeRecord("byteorder", kByteOrder.data(), kByteOrder.size());
      size_t index = 0;
      for (const at::Tensor& tensor : tensors) {
        const auto data = torch::jit::getWriteableTensorData(tensor);
        archive.writeRecord(str_cat("data/", index++), data.data(), data.sizeInBytes());
      }
      archive.writeEndOfFile();
    }
    if (sink.error() != 0) { throw Error(describe_errno("cannot write", file, sink.error())); }
  });
}

TorchArchive read_torch_archive(const fs::path& file) {
  const std::string bytes = read_text(file);
  try {
    caffe2::serialize::PyTorchStreamReader reader(
        std::make_shared<caffe2::serialize::MemoryReadAdapter>(bytes.data(), static_cast<off_t>(bytes.size())));
    const auto record = [&](const std::string& name) {
      const auto [data, size] = reader.getRecord(name);
      return std::string(static_cast<const char*>(data.get()), size);
    };
    TorchArchive archive{.pickle = record("data.pkl"), .data = {}};
    constexpr std::string_view kData = "data/";
    for (const std::string& name : reader.getAllRecords()) {
      if (name.compare(0, kData.size(), kData) == 0) { archive.data[name.substr(kData.size())] = record(name); }
    }
    return archive;
  } catch (const c10::Error& error) {
    throw Error(str_cat(file.string(), " is not a whole file of torch.save: ", error.what_without_backtrace()));
  }
}

}  // namespace mdl::worker::tensors
