#include "launcher/http/http_message.hpp"

#include <boost/beast/http/status.hpp>
#include <ctime>

#include "common/str_cat.hpp"

namespace mdl::launcher::http {

std::string http_time(std::time_t now) {
  constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::tm parts{};
  if (!::gmtime_r(&now, &parts)) { return {}; }
  char numbers[32];
  std::strftime(numbers, sizeof numbers, " %Y %H:%M:%S GMT", &parts);
  const std::string day = str_cat(parts.tm_mday < 10 ? "0" : "", parts.tm_mday);
  return str_cat(kDays[parts.tm_wday], ", ", day, " ", kMonths[parts.tm_mon], numbers);
}

namespace {

/// A stream ends with the connection.
std::string length_of(const Response& response) {
  return response.stream ? "" : str_cat("\r\nContent-Length: ", response.body ? response.body->size() : 0);
}

}  // namespace

Response plain_response(unsigned status, const std::string& sentence) {
  Response response;
  response.status = status;
  response.body = std::make_shared<const std::string>(sentence + "\n");
  return response;
}

std::string head_of(const Response& response, bool keep_alive) {
  const auto reason = boost::beast::http::obsolete_reason(boost::beast::http::int_to_status(response.status));
  std::string head = str_cat("HTTP/1.1 ", response.status, " ", reason, "\r\nDate: ", http_time(std::time(nullptr)),
                             "\r\nContent-Type: ", response.type, length_of(response),
                             "\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: "
                             "no-referrer\r\nConnection: ",
                             keep_alive ? "keep-alive" : "close", "\r\n");
  for (const auto& [name, value] : response.headers) { head += str_cat(name, ": ", value, "\r\n"); }
  if (response.status == 405) { head += "Allow: GET, HEAD\r\n"; }
  return head + "\r\n";
}

}  // namespace mdl::launcher::http
