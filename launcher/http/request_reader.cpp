#include "launcher/http/request_reader.hpp"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>

#include "common/str_cat.hpp"

namespace mdl::launcher::http {
namespace {

namespace beast = boost::beast::http;
using Parsed = Expected<Request, Response>;

constexpr std::string_view kEndOfHead = "\r\n\r\n";

Parsed refuse_request(unsigned status, const std::string& why) {
  return Unexpected{plain_response(status, why)};
}

/// Of Boost's string_view, which is not the standard's.
template <typename View>
std::string_view view_of(const View& text) {
  return {text.data(), text.size()};
}

Parsed request_of(const beast::request_parser<beast::empty_body>& parser) {
  const auto& message = parser.get();
  if (message.count(beast::field::host) != 1) { return refuse_request(400, "One header Host is wanted."); }
  const std::string_view target = view_of(message.target());
  if (!target.starts_with('/')) { return refuse_request(400, "A path is wanted, which begins with a slash."); }
  const std::size_t end = std::min(target.find('?'), target.size());
  Request request;
  request.method = view_of(message.method_string());
  request.path = target.substr(0, end);
  if (end < target.size()) { request.query = target.substr(end + 1); }
  request.host = view_of(message[beast::field::host]);
  request.keep_alive = message.keep_alive();
  return request;
}

Parsed parse_head(std::string_view head) {
  beast::request_parser<beast::empty_body> parser;
  parser.header_limit(static_cast<std::uint32_t>(RequestReader::kLargestHead));
  boost::system::error_code error;
  const std::size_t taken = parser.put(boost::asio::buffer(head.data(), head.size()), error);
  if (error && error != beast::error::need_more) {
    return refuse_request(400, str_cat("This is no request of HTTP/1.1: ", error.message(), "."));
  }
  if (!parser.is_header_done()) { return refuse_request(400, "This is no request of HTTP/1.1."); }
  const bool has_body = parser.chunked() || parser.content_length().value_or(0) > 0 || taken != head.size();
  if (has_body) { return refuse_request(413, "A request has no body here."); }
  return request_of(parser);
}

}  // namespace

std::optional<Expected<Request, Response>> RequestReader::next() {
  const std::size_t from = looked_at_ < kEndOfHead.size() ? 0 : looked_at_ - kEndOfHead.size() + 1;
  const std::size_t found = pending_.find(kEndOfHead, from);
  const bool whole = found != std::string::npos;
  const std::size_t size = whole ? found + kEndOfHead.size() : pending_.size();
  if (size > kLargestHead) {
    return refuse_request(431, str_cat("The headers of a request have at most ", kLargestHead, " bytes here."));
  }
  looked_at_ = whole ? 0 : size;
  if (!whole) { return std::nullopt; }
  const std::string head = pending_.substr(0, size);
  pending_.erase(0, size);
  return parse_head(head);
}

}  // namespace mdl::launcher::http
