#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "worker/hub/hub.hpp"

namespace mdl::worker::hub {

/// How the files of a model in its hub's cache compare with the hub's listing, byte by byte.
class CheckedFiles {
 public:
  /// All three live as long as this.
  CheckedFiles(const Hub& hub, const ModelName& model, const Listing& listing)
      : hub_(hub), model_(model), listing_(listing) {}

  /// Reads what the cache has of `files`, with a bar. Throws Error when a file cannot be read.
  void look_at(const std::vector<ListedFile>& files);

  /// Paths of files that are there and have another size or hash.
  const std::set<std::string>& wrong() const { return wrong_; }
  /// Whether there is nothing to download of what was looked at.
  bool all_right() const { return wrong_.empty() && missing_.empty() && right_ > 0; }
  /// Says how many were right, wrong and missing; nothing where all were missing.
  void tell() const;

 private:
  const Hub& hub_;
  const ModelName& model_;
  const Listing& listing_;
  std::set<std::string> wrong_, missing_;
  std::size_t right_ = 0;
  std::int64_t right_bytes_ = 0;
};

}  // namespace mdl::worker::hub
