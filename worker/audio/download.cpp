#include "worker/audio/download.hpp"

#include <thread>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/http/client.hpp"
#include "worker/http/url.hpp"

namespace mdl::worker::audio {
namespace {

/// The bytes of one attempt, up to a limit.
struct Body {
  std::string bytes;
  std::int64_t limit;
  bool too_large = false;

  bool begin(const http::Response& head) {
    too_large = head.content_length().value_or(0) > limit;
    return !too_large;
  }
  bool add(std::string_view more) {
    too_large = static_cast<std::int64_t>(bytes.size() + more.size()) > limit;
    if (!too_large) { bytes.append(more); }
    return !too_large;
  }
};

}  // namespace

bool is_url(std::string_view audio) {
  return audio.starts_with("http://") || audio.starts_with("https://");
}

std::string download(const std::string& url, const DownloadLimits& limits) {
  http::Client client;
  http::Request request;
  request.url = url;
  request.connect_timeout = limits.connect_timeout;
  request.stall_timeout = limits.stall_timeout;
  http::Retry retry({.attempts = limits.attempts, .first_pause = limits.first_pause});
  while (true) {
    Body body{{}, limits.max_bytes};
    http::Receiver receiver;
    receiver.begin = [&](const http::Response& head) { return body.begin(head); };
    receiver.bytes = [&](std::string_view bytes) { return body.add(bytes); };
    auto answer = client.get(request, receiver);
    if (answer) { return std::move(body.bytes); }
    http::Failure& failure = answer.error();
    if (body.too_large) { failure.reason = str_cat("it is larger than ", limits.max_bytes, " bytes"); }
    failure.retry_after.reset();  // a server may not hold up a whole list for one sound
    const auto pause = retry.next(failure, false);
    if (!pause) {
      const int tries = retry.failures();
      throw Error(str_cat("cannot download ", http::without_password(url), ": ", failure.reason,
                          tries > 1 ? str_cat(" (tried ", tries, " times)") : ""),
                  failure.advice.empty() ? "Open the address in a browser, or save the sound to a file and name that."
                                         : failure.advice);
    }
    std::this_thread::sleep_for(*pause);
  }
}

}  // namespace mdl::worker::audio
