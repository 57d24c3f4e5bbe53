#include "worker/audio/download.hpp"

#include <curl/curl.h>

#include <memory>
#include <new>
#include <thread>

#include "common/error.hpp"
#include "common/str_cat.hpp"

namespace mdl::worker::audio {
namespace {

struct Body {
  std::string bytes;
  std::int64_t limit;
  bool too_large = false;
  bool no_memory = false;
};

std::size_t receive(char* data, std::size_t one, std::size_t count, void* user) {
  auto& body = *static_cast<Body*>(user);
  if (static_cast<std::int64_t>(body.bytes.size() + count) > body.limit) {
    body.too_large = true;
    return CURL_WRITEFUNC_ERROR;
  }
  try {
    body.bytes.append(data, one * count);
  } catch (const std::bad_alloc&) {  // must not pass through curl, which is C
    body.no_memory = true;
    return CURL_WRITEFUNC_ERROR;
  }
  return one * count;
}

struct Outcome {
  bool done;
  bool may_pass;
  std::string reason;
};

Outcome attempt(const std::string& url, const DownloadLimits& limits, Body& body) {
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(), &curl_easy_cleanup);
  if (!curl) { throw Error("cannot set up a download: out of memory"); }
  const auto set = [&](CURLoption option, auto value) { curl_easy_setopt(curl.get(), option, value); };
  set(CURLOPT_URL, url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  set(CURLOPT_FOLLOWLOCATION, 1L);
  set(CURLOPT_MAXREDIRS, 10L);
  set(CURLOPT_NOSIGNAL, 1L);  // signals and threads do not mix
  set(CURLOPT_CONNECTTIMEOUT, static_cast<long>(limits.connect_timeout.count()));
  set(CURLOPT_LOW_SPEED_LIMIT, 1L);
  set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(limits.stall_timeout.count()));
  set(CURLOPT_MAXFILESIZE_LARGE, static_cast<curl_off_t>(limits.max_bytes));
  set(CURLOPT_USERAGENT, "mdl-toolkit");
  set(CURLOPT_WRITEFUNCTION, &receive);
  set(CURLOPT_WRITEDATA, &body);
  const CURLcode code = curl_easy_perform(curl.get());
  if (body.no_memory) { throw std::bad_alloc(); }
  if (body.too_large || code == CURLE_FILESIZE_EXCEEDED) {
    return {false, false, str_cat("it is larger than ", limits.max_bytes, " bytes")};
  }
  if (code != CURLE_OK) {
    const bool hopeless = code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL ||
                          code == CURLE_TOO_MANY_REDIRECTS || code == CURLE_PEER_FAILED_VERIFICATION;
    return {false, !hopeless, curl_easy_strerror(code)};
  }
  long status = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  if (status == 200) { return {true, false, {}}; }
  return {false, status >= 500 || status == 408 || status == 429, str_cat("the server answered ", status)};
}

}  // namespace

bool is_url(std::string_view audio) {
  return audio.starts_with("http://") || audio.starts_with("https://");
}

std::string download(const std::string& url, const DownloadLimits& limits) {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (ready != CURLE_OK) { throw Error(str_cat("cannot set up downloads: ", curl_easy_strerror(ready))); }
  auto pause = limits.first_pause;
  for (int tries = 1;; ++tries) {
    Body body{{}, limits.max_bytes};
    const Outcome outcome = attempt(url, limits, body);
    if (outcome.done) { return std::move(body.bytes); }
    if (!outcome.may_pass || tries >= limits.attempts) {
      throw Error(str_cat("cannot download ", url, ": ", outcome.reason,
                          tries > 1 ? str_cat(" (tried ", tries, " times)") : ""),
                  "Open the address in a browser, or save the sound to a file and name that.");
    }
    std::this_thread::sleep_for(pause);
    pause *= 2;
  }
}

}  // namespace mdl::worker::audio
