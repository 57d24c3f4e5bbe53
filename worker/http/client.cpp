#include "worker/http/client.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <exception>
#include <thread>

#include "common/error.hpp"
#include "common/log.hpp"
#include "common/str_cat.hpp"
#include "common/trimmed.hpp"
#include "worker/http/url.hpp"

namespace mdl::worker::http {
namespace {

constexpr int kMostRedirects = 10;
constexpr std::size_t kBodyStart = 4096;
constexpr std::size_t kMostOtherBody = 1 << 20;  // bytes of an answer that is no file, before we hang up
constexpr std::size_t kMostHeaders = 64 << 10;   // bytes that we keep of them

bool is_redirect(long status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/// What the callbacks of one exchange share. Nothing may throw through curl, which is C: exceptions wait in `thrown`.
struct Exchange {
  CURL* curl;
  const Receiver& receiver;
  Pace pace;
  Response head{};
  std::size_t header_bytes = 0;
  std::string body_start{};  ///< of an answer that the receiver does not get
  std::size_t body_bytes = 0;
  bool begun = false;
  bool refused = false;
  bool enough = false;  ///< of such an answer
  bool too_slow = false;
  std::exception_ptr thrown{};
};

void add_header(Exchange& exchange, std::string_view line) {
  if (line.starts_with("HTTP/")) {  // a new head: the one before was a proxy's, or a 100
    exchange.head.headers.clear();
    exchange.header_bytes = 0;
    return;
  }
  const auto colon = line.find(':');
  exchange.header_bytes += line.size();
  if (colon == std::string_view::npos || exchange.header_bytes > kMostHeaders) { return; }
  std::string name(line.substr(0, colon));
  std::ranges::transform(name, name.begin(), [](unsigned char letter) { return std::tolower(letter); });
  exchange.head.headers[name] = trimmed(std::string(line.substr(colon + 1)));
}

void add_body(Exchange& exchange, std::string_view bytes) {
  exchange.pace.add(std::ssize(bytes));
  if (!exchange.begun) {
    curl_easy_getinfo(exchange.curl, CURLINFO_RESPONSE_CODE, &exchange.head.status);
    exchange.begun = true;
    if (exchange.head.status == 200 || exchange.head.status == 206) {
      exchange.refused = !exchange.receiver.begin(exchange.head);
    }
  }
  if (exchange.head.status == 200 || exchange.head.status == 206) {
    exchange.refused = exchange.refused || !exchange.receiver.bytes(bytes);
  } else {
    exchange.body_start.append(bytes.substr(0, kBodyStart - exchange.body_start.size()));
    exchange.body_bytes += bytes.size();
    exchange.enough = exchange.body_bytes > kMostOtherBody;
  }
}

/// Calls `handle` for one of curl's callbacks; returns what curl takes for success, or 0.
template <typename Handle>
std::size_t guarded(const char* data, std::size_t size, void* user, const Handle& handle) {
  auto& exchange = *static_cast<Exchange*>(user);
  try {
    handle(exchange, std::string_view(data, size));
  } catch (...) { exchange.thrown = std::current_exception(); }
  const bool stop = exchange.thrown || exchange.refused || exchange.enough || exchange.too_slow;
  return stop ? size + 1 : size;  // another number than size ends the transfer
}

std::size_t receive_header(char* data, std::size_t one, std::size_t count, void* user) {
  return guarded(data, one * count, user, add_header);
}

std::size_t receive_body(char* data, std::size_t one, std::size_t count, void* user) {
  return guarded(data, one * count, user, add_body);
}

int ask_whether_to_go_on(void* user, curl_off_t /*total*/, curl_off_t /*now*/, curl_off_t /*up*/,
                         curl_off_t /*up_now*/) {
  return guarded("", 0, user,
                 [](Exchange& exchange, std::string_view) {
                   exchange.refused = exchange.refused || !exchange.receiver.goes_on();
                   exchange.too_slow = exchange.pace.is_too_slow(std::chrono::steady_clock::now());
                 }) == 0
             ? 0
             : 1;
}

Failure::Kind kind_of(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
      return Failure::Kind::resolve;
    case CURLE_COULDNT_CONNECT:
      return Failure::Kind::connect;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CONNECT_ERROR:
      return Failure::Kind::certificate;
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_GOT_NOTHING:
      return Failure::Kind::cut;
    default:
      return Failure::Kind::other;
  }
}

bool is_hopeless(CURLcode code) {
  return code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_PEER_FAILED_VERIFICATION ||
         code == CURLE_SSL_CACERT_BADFILE || code == CURLE_OUT_OF_MEMORY || code == CURLE_BAD_FUNCTION_ARGUMENT;
}

/// Whether a variable that curl reads names a proxy with https://.
bool speaks_tls_to_proxy(const process::Lookup& lookup = process::lookup_environment) {
  return std::ranges::any_of(
      std::array{"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"}, [&](const char* name) {
        std::string value = lookup(name).value_or("");
        std::ranges::transform(value, value.begin(), [](unsigned char letter) { return std::tolower(letter); });
        return value.starts_with("https://");
      });
}

std::string certificate_advice(const Authorities& authorities, CURLcode code, const Url& url) {
  const std::string from = authorities.variable.empty() ? "" : str_cat(authorities.variable, "=");
  const std::string place = from + (authorities.file ? *authorities.file : authorities.folder.value_or(""));
  if (code == CURLE_SSL_CACERT_BADFILE) {
    return str_cat(place, " holds no certificate that can be read. It has to be a file of PEM",
                   from.empty() ? "." : ", or the variable unset to believe the authorities of this system.");
  }
  const bool of_proxy = speaks_tls_to_proxy();
  const std::string_view whose = !of_proxy              ? "Its certificate"
                                 : url.scheme == "http" ? "The proxy's certificate"
                                                        : "Its certificate or the proxy's";
  return str_cat(whose, " is not one that this machine believes (", place,
                 "). If your network has an authority of its own, name the file of its certificates in SSL_CERT_FILE.");
}

struct HeaderList {
  ~HeaderList() { curl_slist_free_all(first); }
  void add(const std::string& line) {
    curl_slist* const longer = curl_slist_append(first, line.c_str());
    if (!longer) { throw std::bad_alloc(); }
    first = longer;
  }
  curl_slist* first = nullptr;
};

void make_ready() {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (ready != CURLE_OK) { throw Error(str_cat("cannot set up downloads: ", curl_easy_strerror(ready))); }
}

}  // namespace

struct Client::Handle {
  explicit Handle(Authorities chosen) : authorities(std::move(chosen)), curl(curl_easy_init(), &curl_easy_cleanup) {
    if (!curl) { throw Error("cannot set up a download: out of memory"); }
  }

  void set_up(const Request& request, const Url& url, const HeaderList& headers, Exchange& exchange);
  std::optional<Failure> find_authorities(const Url& url);
  void set_authorities();
  Expected<Response, Failure> get_once(const Request& request, const Url& url, bool authorized,
                                       const Receiver& receiver);

  Authorities authorities;
  std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl;
};

void Client::Handle::set_up(const Request& request, const Url& url, const HeaderList& headers, Exchange& exchange) {
  curl_easy_reset(curl.get());  // keeps the connections
  const auto set = [&](CURLoption option, auto value) { curl_easy_setopt(curl.get(), option, value); };
  set(CURLOPT_URL, url.text().c_str());
#if LIBCURL_VERSION_NUM >= 0x075500
  set(CURLOPT_PROTOCOLS_STR, "http,https");
#else  // before 7.85
  set(CURLOPT_PROTOCOLS, static_cast<long>(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
  set(CURLOPT_FOLLOWLOCATION, 0L);  // see get()
  set(CURLOPT_NOSIGNAL, 1L);        // signals and threads do not mix
  set(CURLOPT_CONNECTTIMEOUT, static_cast<long>(request.connect_timeout.count()));
  set(CURLOPT_LOW_SPEED_LIMIT, 1L);
  set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(request.stall_timeout.count()));
  set(CURLOPT_USERAGENT, "mdl-toolkit");
  set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  set(CURLOPT_HTTPHEADER, headers.first);
  set_authorities();
  if (request.range) {
    set(CURLOPT_RANGE, str_cat(request.range->begin, "-", request.range->end - 1).c_str());  // curl keeps a copy
  }
  set(CURLOPT_HEADERFUNCTION, &receive_header);
  set(CURLOPT_HEADERDATA, &exchange);
  set(CURLOPT_WRITEFUNCTION, &receive_body);
  set(CURLOPT_WRITEDATA, &exchange);
  set(CURLOPT_NOPROGRESS, 0L);
  set(CURLOPT_XFERINFOFUNCTION, &ask_whether_to_go_on);
  set(CURLOPT_XFERINFODATA, &exchange);
}

/// What TLS with `url` or a proxy has to know: nothing is looked for where there is no TLS. A failure where nothing is
/// found.
std::optional<Failure> Client::Handle::find_authorities(const Url& url) {
  if ((url.scheme != "https" && !speaks_tls_to_proxy()) || authorities.file || authorities.folder) { return {}; }
  authorities.file = first_of(authorities.places);
  if (authorities.file) { return {}; }
  std::string reason = "this machine has no file of the authorities that it believes; looked for";
  for (const std::string& place : authorities.places) {
    reason += str_cat(" ", place, &place == &authorities.places.back() ? "" : ",");
  }
  Failure failure{Failure::Kind::certificate, std::move(reason), url.shown()};
  failure.advice =
      "Install the package ca-certificates (on SUSE ca-certificates-mozilla), or name such a file in SSL_CERT_FILE: "
      "Python's certifi has one, whose path `python3 -m certifi` prints.";
  return failure;
}

/// A variable's are the only ones: libcurl was built with a file and a folder of its own.
void Client::Handle::set_authorities() {
  if (!authorities.file && !authorities.folder) { return; }
  const auto text_of = [](const std::optional<std::string>& path) { return path ? path->c_str() : nullptr; };
  for (const CURLoption option : {CURLOPT_CAINFO, CURLOPT_PROXY_CAINFO}) {
    curl_easy_setopt(curl.get(), option, text_of(authorities.file));
  }
  for (const CURLoption option : {CURLOPT_CAPATH, CURLOPT_PROXY_CAPATH}) {
    curl_easy_setopt(curl.get(), option, text_of(authorities.folder));
  }
}

/// One answer, which may be a redirect.
Expected<Response, Failure> Client::Handle::get_once(const Request& request, const Url& url, bool authorized,
                                                     const Receiver& receiver) {
  if (auto failure = find_authorities(url)) { return Unexpected{std::move(*failure)}; }
  HeaderList headers;
  for (const std::string& header : request.headers) { headers.add(header); }
  if (authorized && !request.authorization.empty()) { headers.add("Authorization: " + request.authorization); }
  if (authorized && !request.cookie.empty()) { headers.add("Cookie: " + request.cookie); }
  Exchange exchange{
      .curl = curl.get(), .receiver = receiver, .pace = Pace(request.lowest_speed, std::chrono::steady_clock::now())};
  exchange.head.url = url.shown();
  set_up(request, url, headers, exchange);
  const bool secret =
      (authorized && !(request.authorization.empty() && request.cookie.empty())) || !url.user_info.empty();
  if (secret && url.scheme == "http" && url.is_loopback()) {  // a proxy would carry it in clear text to another machine
    curl_easy_setopt(curl.get(), CURLOPT_NOPROXY, "*");
  }
  const CURLcode code = curl_easy_perform(curl.get());
  if (exchange.thrown) { std::rethrow_exception(exchange.thrown); }
  if (exchange.refused) {
    return Unexpected{Failure{Failure::Kind::refused, "it is not what was asked for", url.shown()}};
  }
  if (exchange.too_slow) {
    const LowestSpeed lowest = request.lowest_speed;
    const std::string reason =
        str_cat("for ", lowest.over.count(), " s fewer than ", lowest.bytes_per_second, " bytes a second have come");
    return Unexpected{Failure{Failure::Kind::cut, reason, url.shown(), true}};
  }
  if (code != CURLE_OK && !exchange.enough) {
    Failure failure{kind_of(code), curl_easy_strerror(code), url.shown(), !is_hopeless(code)};
    if (failure.kind == Failure::Kind::certificate) { failure.advice = certificate_advice(authorities, code, url); }
    return Unexpected{std::move(failure)};
  }
  if (!exchange.begun) { add_body(exchange, {}); }  // an empty body
  if (exchange.refused) {
    return Unexpected{Failure{Failure::Kind::refused, "it is not what was asked for", url.shown()}};
  }
  const long status = exchange.head.status;
  if (status == 200 || status == 206 || is_redirect(status)) { return std::move(exchange.head); }
  Failure failure{Failure::Kind::status, str_cat("the server answered ", status), url.shown(),
                  status >= 500 || status == 408 || status == 429};
  if (failure.may_pass) { failure.retry_after = asked_delay(exchange.head, std::chrono::system_clock::now()); }
  failure.response = std::move(exchange.head);
  failure.body_start = std::move(exchange.body_start);
  return Unexpected{std::move(failure)};
}

Client::Client(Authorities authorities) {
  make_ready();
  handle_ = std::make_unique<Handle>(std::move(authorities));
}
Client::~Client() = default;
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;

Expected<Response, Failure> Client::get(const Request& request, const Receiver& receiver) {
  const auto first = parse_url(request.url);
  if (!first) {
    return Unexpected{Failure{Failure::Kind::other, curl_easy_strerror(CURLE_URL_MALFORMAT), "the address", false}};
  }
  Url url = *first;
  for (int redirects = 0;; ++redirects) {
    const bool authorized = url.same_origin(*first) && (url.scheme == "https" || url.is_loopback());
    auto answer = handle_->get_once(request, url, authorized, receiver);
    if (!answer || !is_redirect(answer->status)) { return answer; }
    const auto refuse = [&](const std::string& why) {
      return Unexpected{Failure{Failure::Kind::redirect, why, url.shown(), false}};
    };
    if (redirects == kMostRedirects) { return refuse(curl_easy_strerror(CURLE_TOO_MANY_REDIRECTS)); }
    const std::string* const location = answer->header("location");
    const auto target = location ? resolve_url(url, *location) : std::nullopt;
    if (!target) { return refuse("the server redirects to what is no http or https address"); }
    if (url.scheme == "https" && target->scheme == "http" && !request.may_leave_https) {
      return refuse(str_cat("the server redirects from https to http (", target->shown(), ")"));
    }
    url = *target;
  }
}

Expected<std::pair<Response, std::string>, Failure> Client::text(const Request& request, std::size_t max_bytes,
                                                                 RetryLimits limits) {
  Retry retry(limits);
  while (true) {
    std::string text;
    const auto deadline = std::chrono::steady_clock::now() + limits.longest_text;
    bool too_slow = false;
    Receiver receiver;
    receiver.goes_on = [&] { return !(too_slow = std::chrono::steady_clock::now() > deadline); };
    receiver.bytes = [&](std::string_view bytes) {
      if (bytes.size() > max_bytes - text.size()) { return false; }
      text.append(bytes);
      return true;
    };
    auto answer = get(request, receiver);
    if (answer) { return std::pair(std::move(*answer), std::move(text)); }
    if (answer.error().kind == Failure::Kind::refused) {
      answer.error().reason =
          too_slow ? str_cat("the answer has not come to its end within ", limits.longest_text.count(), " s")
                   : str_cat("the answer is larger than ", max_bytes, " bytes");
    }
    const auto pause = retry.next(answer.error(), false);
    if (!pause) { return Unexpected{std::move(answer.error())}; }
    if (*pause >= limits.long_pause) {
      log::news(answer.error().url, ": ", answer.error().reason, "; again in ", pause->count() / 1000, " s");
    }
    std::this_thread::sleep_for(*pause);
  }
}

}  // namespace mdl::worker::http
