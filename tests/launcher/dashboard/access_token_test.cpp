#include "launcher/dashboard/access_token.hpp"

#include <catch2/catch.hpp>
#include <set>

using namespace mdl::launcher::dashboard;

TEST_CASE("a page's token is in a query whole, or it is not there") {
  const AccessToken token("0123456789abcdef");
  for (const char* right :
       {"token=0123456789abcdef", "rank=3&token=0123456789abcdef", "token=0123456789abcdef&token=x"}) {
    CAPTURE(right);
    CHECK(token.is_in(right));
  }
  for (const char* wrong : {"", "token", "token=", "token=0123456789abcde", "token=0123456789abcdef0",
                            "token=0123456789abcdeF", "xtoken=0123456789abcdef", "other=0123456789abcdef",
                            "token:0123456789abcdef", "0123456789abcdef", "&&=&", "token=x&token=0123456789abcdef"}) {
    CAPTURE(wrong);
    CHECK_FALSE(token.is_in(wrong));
  }
}

TEST_CASE("a page's token has 128 bits, others each time") {
  const std::string one = AccessToken::make().query();
  CHECK(one.size() == std::string("?token=").size() + 32);
  CHECK(one != AccessToken::make().query());
  CHECK(one.substr(7).find_first_not_of("0123456789abcdef") == std::string::npos);
  std::set<char> high, low;  // all of 16 digits on either side of a byte
  for (int i = 0; i < 64; ++i) {
    const std::string digits = random_digits();
    for (std::size_t at = 0; at < digits.size(); at += 2) {
      high.insert(digits[at]);
      low.insert(digits[at + 1]);
    }
  }
  CHECK((high.size() == 16 && low.size() == 16));
}
