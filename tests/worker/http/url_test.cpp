#include "worker/http/url.hpp"

#include <catch2/catch.hpp>

using namespace mdl::worker::http;

TEST_CASE("an address is taken apart and put together again") {
  const auto url = parse_url("HTTPS://user:pa%40ss@Host.example:8443/a%20b/c?x=1&y=2#part");
  REQUIRE(url);
  CHECK(url->scheme == "https");
  CHECK(url->user_info == "user:pa%40ss");
  CHECK(url->host == "host.example");
  CHECK(url->port == 8443);
  CHECK(url->text() == "https://user:pa%40ss@host.example:8443/a%20b/c?x=1&y=2");
  CHECK(parse_url("http://[::1]/")->text() == "http://[::1]/");
  CHECK(parse_url("http://host:80/x")->text() == "http://host/x");
}

TEST_CASE("what is no http or https address is none") {
  for (const char* text :
       {"", "file:///etc/passwd", "ftp://host/x", "http://", "http://ho st/", "http://host:99999/"}) {
    INFO(text);
    CHECK_FALSE(parse_url(text));
  }
}

TEST_CASE("a redirect is resolved against the address it came from") {
  const auto base = parse_url("https://user:secret@host/a/b?c=d");
  CHECK(resolve_url(*base, "/x y?z")->text() == "https://user:secret@host/x%20y?z");
  CHECK(resolve_url(*base, "e")->text() == "https://user:secret@host/a/e");
  CHECK(resolve_url(*base, "//other/x")->text() == "https://other/x");
  CHECK(resolve_url(*base, "https://host/x")->text() == "https://user:secret@host/x");
  CHECK(resolve_url(*base, "https://host:444/x")->text() == "https://host:444/x");
  CHECK(resolve_url(*base, "http://host/x")->user_info.empty());
  CHECK(resolve_url(*base, "https://me:too@other/x")->user_info == "me:too");
  CHECK_FALSE(resolve_url(*base, "file:///etc/passwd"));
  CHECK_FALSE(resolve_url(*base, "gopher://host/"));
}

TEST_CASE("an origin is scheme, host and port") {
  const auto url = parse_url("https://host/a");
  CHECK(url->same_origin(*parse_url("https://HOST:443/b")));
  CHECK_FALSE(url->same_origin(*parse_url("http://host/a")));
  CHECK_FALSE(url->same_origin(*parse_url("https://host:444/a")));
  CHECK_FALSE(url->same_origin(*parse_url("https://host.evil/a")));
}

TEST_CASE("loopback is known by its addresses and its name") {
  for (const char* text : {"http://127.0.0.1:80/", "http://127.9.9.9/", "http://localhost:1/", "http://[::1]:5/"}) {
    CHECK(parse_url(text)->is_loopback());
  }
  for (const char* text : {"http://127.0.0.1.evil/", "http://localhost.evil/", "http://128.0.0.1/", "http://[::2]/"}) {
    CHECK_FALSE(parse_url(text)->is_loopback());
  }
}

TEST_CASE("messages show neither passwords nor signatures") {
  CHECK(parse_url("https://user:secret@host/a?Signature=s")->shown() == "https://host/a");
  CHECK(without_password("http://user:secret@host:5/a?b=c") == "http://host:5/a");
  CHECK(without_password("http://host/a?token=secret#b") == "http://host/a");
  CHECK(without_password("no address") == "no address");
  CHECK(without_password("http://user:secret@host:99999/a") == "http://host:99999/a");
  CHECK(without_password("user:secret@host") == "host");
  CHECK(without_password("http://host/a@b") == "http://host/a@b");
  CHECK(without_password("https://user:20#secret@host") == "https://…@host");
  CHECK(without_password("https://user:20/secret@host:1/a?token=secret") == "https://…@host:1/a");
  CHECK(without_password("https://user:se/cret@host") == "https://…@host");
  CHECK(without_password("user:secret@host/a?b") == "host/a");
  CHECK(without_password("ftp://host?token=secret") == "ftp://host");
}

TEST_CASE("parts of an address are encoded") {
  CHECK(percent_encoded("a/b c~%") == "a%2Fb%20c~%25");
  CHECK(percent_encoded("a/\xC3\xA4", "/") == "a/%C3%A4");
}
