#include "worker/reports/event_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <bit>
#include <boost/crc.hpp>
#include <cerrno>
#include <chrono>
#include <ctime>

#include "common/error.hpp"
#include "common/host.hpp"
#include "common/str_cat.hpp"

namespace mdl::worker::reports {
namespace {

static_assert(std::endian::native == std::endian::little, "numbers are copied as they lie in memory");

template <typename Number>
std::string raw(Number value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

std::string varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) { bytes += static_cast<char>(value | 0x80); }
  return bytes + static_cast<char>(value);
}

// The three kinds of fields of a protobuf message that are needed here.
constexpr unsigned kVarint = 0, kEightBytes = 1, kLengthGiven = 2, kFourBytes = 5;

std::string key(unsigned field, unsigned kind) {
  return varint(field << 3 | kind);
}
std::string message(unsigned field, std::string_view content) {
  return key(field, kLengthGiven) + varint(content.size()) + std::string(content);
}
std::string whole_number(unsigned field, int64_t value) {
  return key(field, kVarint) + varint(static_cast<uint64_t>(value));
}

// Field numbers of event.proto, summary.proto and tensor.proto.
namespace field {
constexpr unsigned kEventWallTime = 1, kEventStep = 2, kEventFileVersion = 3, kEventSummary = 5;
constexpr unsigned kSummaryValue = 1;
constexpr unsigned kValueTag = 1, kValueSimple = 2, kValueTensor = 8, kValueMetadata = 9;
constexpr unsigned kMetadataPlugin = 1, kPluginName = 1;
constexpr unsigned kTensorType = 1, kTensorShape = 2, kTensorString = 8;
constexpr unsigned kShapeDim = 2, kDimSize = 1;
}  // namespace field
constexpr int64_t kStringType = 7;  // DT_STRING

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

uint32_t masked_crc32c(std::string_view bytes) {
  constexpr uint32_t kMaskDelta = 0xa282ead8;
  boost::crc_optimal<32, 0x1edc6f41, 0xffffffff, 0xffffffff, true, true> crc;
  crc.process_bytes(bytes.data(), bytes.size());
  return std::rotr(static_cast<uint32_t>(crc.checksum()), 15) + kMaskDelta;
}

EventFile::EventFile(const std::filesystem::path& folder)
    : path_(folder / str_cat("events.out.tfevents.", std::time(nullptr), ".", host_name(), ".", ::getpid(), ".0")) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) { throw Error(str_cat("cannot make the folder ", folder.string(), ": ", error.message())); }
  fd_ = UniqueFd(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
  if (!fd_) { throw Error(describe_errno("cannot create", path_, errno)); }
  add_event(0, message(field::kEventFileVersion, "brain.Event:2"));
  flush();
}

void EventFile::scalar(const std::string& tag, double value, int64_t step) {
  const std::string content =
      message(field::kValueTag, tag) + key(field::kValueSimple, kFourBytes) + raw(static_cast<float>(value));
  add_event(step, message(field::kEventSummary, message(field::kSummaryValue, content)));
}

void EventFile::text(const std::string& tag, const std::string& text, int64_t step) {
  const std::string shape = message(field::kShapeDim, whole_number(field::kDimSize, 1));
  const std::string tensor = whole_number(field::kTensorType, kStringType) + message(field::kTensorShape, shape) +
                             message(field::kTensorString, text);
  const std::string metadata = message(field::kMetadataPlugin, message(field::kPluginName, "text"));
  const std::string content =
      message(field::kValueTag, tag) + message(field::kValueTensor, tensor) + message(field::kValueMetadata, metadata);
  add_event(step, message(field::kEventSummary, message(field::kSummaryValue, content)));
}

void EventFile::add_event(int64_t step, std::string_view content) {
  std::string event = key(field::kEventWallTime, kEightBytes) + raw(now());
  if (step != 0) { event += whole_number(field::kEventStep, step); }
  event += content;
  const std::string length = raw(static_cast<uint64_t>(event.size()));
  pending_ += length + raw(masked_crc32c(length)) + event + raw(masked_crc32c(event));
}

void EventFile::flush() {
  const ssize_t written = ::write(fd_.get(), pending_.data(), pending_.size());
  if (written != static_cast<ssize_t>(pending_.size())) {
    throw Error(describe_errno("cannot write", path_, written < 0 ? errno : ENOSPC));
  }
  pending_.clear();
}

}  // namespace mdl::worker::reports
