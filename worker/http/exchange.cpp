#include "worker/http/exchange.hpp"

#include <curl/curl.h>

#include <algorithm>

#include "common/parse_number.hpp"
#include "common/trimmed.hpp"

namespace mdl::worker::http {
namespace {

/// A number of at least 0 without anything around it.
std::optional<std::int64_t> length(std::string_view text) {
  return text.empty() ? std::nullopt : parse_digits<std::int64_t>(text);
}

/// "\"api\";r=0;t=55": seconds until more is allowed, when nothing is left.
std::optional<std::chrono::seconds> seconds_until_reset(const std::string& ratelimit) {
  const auto remaining = ratelimit.find("r=0;");
  const auto reset = ratelimit.find("t=", remaining == std::string::npos ? 0 : remaining);
  if (remaining == std::string::npos || reset == std::string::npos) { return std::nullopt; }
  const auto end = ratelimit.find_first_not_of("0123456789", reset + 2);
  const auto seconds =
      length(std::string_view(ratelimit).substr(reset + 2, end == std::string::npos ? end : end - reset - 2));
  return seconds ? std::optional(std::chrono::seconds(*seconds)) : std::nullopt;
}

}  // namespace

const std::string* Response::header(const std::string& lower_case_name) const {
  const auto found = headers.find(lower_case_name);
  return found == headers.end() ? nullptr : &found->second;
}

std::optional<std::int64_t> Response::content_length() const {
  const std::string* const value = header("content-length");
  return value ? length(*value) : std::nullopt;
}

std::optional<Response::Content> Response::content_range() const {
  const std::string* const value = header("content-range");
  if (!value || !value->starts_with("bytes ")) { return std::nullopt; }
  const std::string_view text = std::string_view(*value).substr(6);
  const auto dash = text.find('-');
  const auto slash = text.find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos || slash < dash) { return std::nullopt; }
  const auto first = length(text.substr(0, dash));
  const auto last = length(text.substr(dash + 1, slash - dash - 1));
  if (!first || !last || *last < *first || *last == INT64_MAX) { return std::nullopt; }
  return Content{{*first, *last + 1}, length(text.substr(slash + 1))};
}

std::optional<std::chrono::seconds> asked_delay(const Response& response, std::chrono::system_clock::time_point now) {
  if (const std::string* const text = response.header("retry-after")) {
    const std::string digits = trimmed(*text);
    if (const auto seconds = length(digits); seconds && *seconds < INT32_MAX) { return std::chrono::seconds(*seconds); }
    const std::time_t then = curl_getdate(text->c_str(), nullptr);
    if (then != -1) {
      return std::max(std::chrono::seconds(0), std::chrono::seconds(then - std::chrono::system_clock::to_time_t(now)));
    }
  }
  const std::string* const ratelimit = response.header("ratelimit");
  return ratelimit ? seconds_until_reset(*ratelimit) : std::nullopt;
}

}  // namespace mdl::worker::http
