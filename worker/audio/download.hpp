#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace mdl::worker::audio {

struct DownloadLimits {
  std::int64_t max_bytes = 256 << 20;
  int attempts = 4;                            ///< in all
  std::chrono::milliseconds first_pause{500};  ///< before the second attempt; doubles each time
  std::chrono::seconds connect_timeout{10};
  std::chrono::seconds stall_timeout{30};  ///< without a byte
};

/// Whether `audio` is fetched rather than opened.
bool is_url(std::string_view audio);

/// The bytes behind an http or https address; at most ten redirects are followed, to http and https only. What may pass
/// (no connection, a stall, 408, 429, 5xx) is tried again. May be called by several threads.
/// Throws Error naming the address and the reason, also when there is more than max_bytes.
std::string download(const std::string& url, const DownloadLimits& limits);

}  // namespace mdl::worker::audio
