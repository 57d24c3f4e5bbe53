#include "worker/http/exchange.hpp"

#include <catch2/catch.hpp>

using namespace mdl::worker::http;
using namespace std::chrono_literals;

namespace {

Response answer(const std::string& name, const std::string& value) {
  return {.status = 206, .url = "", .headers = {{name, value}}};
}

}  // namespace

TEST_CASE("a range of an answer is read, or nothing") {
  const auto range = answer("content-range", "bytes 10-19/100").content_range();
  REQUIRE(range);
  CHECK(range->range == ByteRange{10, 20});
  CHECK(range->total == 100);
  CHECK_FALSE(answer("content-range", "bytes 0-9/*").content_range()->total);
  for (const char* text : {"", "bytes */100", "bytes 9-0/100", "bytes -5-9/100", "bytes 0-9", "0-9/100", "bytes a-b/c",
                           "bytes 0-9223372036854775807/1", "bytes 5/3-4"}) {
    INFO(text);
    CHECK_FALSE(answer("content-range", text).content_range());
  }
}

TEST_CASE("a length is digits only") {
  CHECK(answer("content-length", "12").content_length() == 12);
  for (const char* text : {"", "-1", "1e3", "99999999999999999999", " 1"}) {
    CHECK_FALSE(answer("content-length", text).content_length());
  }
}

TEST_CASE("a server's wish to wait is seconds, a date, or Hugging Face's header") {
  const auto now = std::chrono::system_clock::from_time_t(784'111'777);  // Sun, 06 Nov 1994 08:49:37 GMT
  CHECK(asked_delay(answer("retry-after", "120"), now) == 120s);
  CHECK(asked_delay(answer("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT"), now) == 30s);
  CHECK(asked_delay(answer("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT"), now) == 0s);
  CHECK(asked_delay(answer("ratelimit", "\"api\";r=0;t=55"), now) == 55s);
  CHECK_FALSE(asked_delay(answer("ratelimit", "\"api\";r=3;t=55"), now));
  CHECK_FALSE(asked_delay(answer("retry-after", "soon"), now));
  CHECK_FALSE(asked_delay(answer("retry-after", "-1"), now));
  CHECK_FALSE(asked_delay(answer("x", "y"), now));
}
