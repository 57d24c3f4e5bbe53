#pragma once

#include <chrono>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "worker/http/retry.hpp"
#include "worker/hub/hub.hpp"

namespace mdl::worker::hub {

struct TransferLimits {
  int connections = 8;                  ///< at a time
  std::int64_t least_range = 32 << 20;  ///< a file is not cut into smaller ranges
  int ranges = 16;                      ///< of a file, at most
  std::int64_t record_every = 1 << 20;  ///< bytes of a range between two notes of what is there
  http::RetryLimits retry{};
  http::LowestSpeed lowest_speed{};              ///< of each connection
  std::chrono::milliseconds told_every{60'000};  ///< how far it is, where there is no bar
};

/// Downloads `files` of a listing into the hub's cache: what is there already costs nothing, what an interrupted
/// transfer left goes on. Several files at a time, large ones in ranges; size and hash of each are checked before it
/// gets its name; a wrong hash is one more download of that file from nothing, then an error. Free space is checked
/// before. `what` stands before the bar ("Downloading mispeech/midashenglm-7b"); an empty one draws none. Files whose
/// paths are in `anew` come although the cache has them.
/// Throws Error; what has come stays for the next attempt.
void transfer(const Hub& hub, const ModelName& model, const Listing& listing, const std::vector<ListedFile>& files,
              const std::string& what, const std::set<std::string>& anew = {}, const TransferLimits& limits = {});

/// Those of `files` that transfer() would fetch.
std::vector<ListedFile> files_to_download(const Hub& hub, const ModelName& model, const Listing& listing,
                                          const std::vector<ListedFile>& files, const std::set<std::string>& anew);

}  // namespace mdl::worker::hub
