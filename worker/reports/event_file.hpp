#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "common/unique_fd.hpp"

namespace mdl::worker::reports {

/// A file of TensorBoard: FOLDER/events.out.tfevents.SECONDS.HOST.PID.0.
///
/// It is a row of TensorFlow records: length (8 bytes, little-endian), masked CRC-32C of the length, the data, masked
/// CRC-32C of the data. Each record is one message of event.proto; the first names the version of the format. Formats:
/// tensorflow/core/lib/io/record_writer and tensorflow/core/util/event.proto.
class EventFile {
 public:
  /// Makes the folder and the file. Throws Error naming what could not be made.
  explicit EventFile(const std::filesystem::path& folder);

  void scalar(const std::string& tag, double value, int64_t step);

  /// A text for TensorBoard's plugin of that name; `tag` ends in "/text_summary".
  void text(const std::string& tag, const std::string& text, int64_t step);

  /// Writes what was added since; a reader sees whole records only. Throws Error when the disk is full.
  void flush();

  const std::filesystem::path& path() const { return path_; }

 private:
  void add_event(int64_t step, std::string_view content);

  std::filesystem::path path_;
  UniqueFd fd_;
  std::string pending_;
};

/// CRC-32C (Castagnoli) of `bytes`, rotated and shifted as TensorFlow's records hold it.
uint32_t masked_crc32c(std::string_view bytes);

}  // namespace mdl::worker::reports
