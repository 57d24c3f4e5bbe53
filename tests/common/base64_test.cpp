#include "common/base64.hpp"

#include <catch2/catch.hpp>

using namespace mdl;

TEST_CASE("base64 has RFC 4648's test vectors") {
  const auto [bytes, text] = GENERATE(table<std::string, std::string>({{"", ""},
                                                                       {"f", "Zg=="},
                                                                       {"fo", "Zm8="},
                                                                       {"foo", "Zm9v"},
                                                                       {"foob", "Zm9vYg=="},
                                                                       {"fooba", "Zm9vYmE="},
                                                                       {"foobar", "Zm9vYmFy"}}));
  CHECK(base64_encode(bytes) == text);
  CHECK(base64_decode(text) == bytes);
}

TEST_CASE("every byte passes through base64") {
  std::string bytes;
  for (int i = 0; i < 256; ++i) { bytes += static_cast<char>(i); }
  CHECK(base64_decode(base64_encode(bytes)) == bytes);
}

TEST_CASE("what is not base64 is nothing") {
  CHECK_FALSE(base64_decode("Zg=").has_value());
  CHECK_FALSE(base64_decode("Zg").has_value());
  CHECK_FALSE(base64_decode("Z===").has_value());
  CHECK_FALSE(base64_decode("Zm9v\nZm9").has_value());
  CHECK_FALSE(base64_decode("Zm-v").has_value());
  CHECK_FALSE(base64_decode("=m9v").has_value());
}
