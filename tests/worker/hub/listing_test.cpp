#include "worker/hub/listing.hpp"

#include <catch2/catch.hpp>

#include "common/error.hpp"
#include "worker/hub/huggingface_listing.hpp"

using namespace mdl;
using namespace mdl::worker::hub;
using Catch::Contains;

namespace {

const std::string kCommit(40, 'c');

ListedFile listed(const std::string& path, std::int64_t size = 1) {
  return {.path = path, .size = size, .digest = {Digest::Kind::git_blob, std::string(40, 'a')}};
}

}  // namespace

TEST_CASE("paths that could leave the cache, or mean two things, are not safe") {
  for (const char* path : {"config.json", "a/b/c.json", "..a/b", "a..b", "Zeichen \xC3\xA4 \xE4\xB8\xAD.json", "a:b"}) {
    INFO(path);
    CHECK(is_safe_path(path));
  }
  for (const char* path : {"", "/etc/passwd", "../x", "a/../b", "a/..", ".", "./a", "a/./b", "a//b", "a/", "a\\b",
                           "a\nb", "a\x7F", "\xFF", "a/\xC3"}) {
    INFO(path);
    CHECK_FALSE(is_safe_path(path));
  }
  CHECK_FALSE(is_safe_path(std::string("a\0b", 3)));
  CHECK_FALSE(is_safe_path(std::string(256, 'a')));
  CHECK(is_safe_path(std::string(255, 'a')));
  std::string deep = "a";
  while (deep.size() <= 1024) { deep += "/a"; }
  CHECK_FALSE(is_safe_path(deep));
}

TEST_CASE("a listing with what cannot be is refused with the name of the file") {
  CHECK_NOTHROW(check_listed({kCommit, {listed("a"), listed("b/c")}}, "o/n"));
  CHECK_THROWS_WITH(check_listed({kCommit, {listed("../x")}}, "o/n"), Contains("o/n") && Contains("\"../x\""));
  CHECK_THROWS_WITH(check_listed({kCommit, {listed("a\nb")}}, "o/n"), Contains("\"a?b\""));
  CHECK_THROWS_WITH(check_listed({kCommit, {listed("a"), listed("a")}}, "o/n"), Contains("twice"));
  CHECK_THROWS_WITH(check_listed({kCommit, {listed("a"), listed("a/b/c")}}, "o/n"), Contains("a file and a folder"));
  CHECK_THROWS_WITH(check_listed({kCommit, {listed("a", -1)}}, "o/n"), Contains("-1 bytes"));
  CHECK_THROWS_WITH(check_listed({kCommit, {listed("a", INT64_MAX)}}, "o/n"), Contains("9223372036854775807 bytes"));
  CHECK_THROWS_WITH(check_listed({"../../x", {}}, "o/n"), Contains("commit"));
  CHECK_THROWS_WITH(check_listed({"", {}}, "o/n"), Contains("commit"));
  CHECK_THROWS_WITH(check_listed({kCommit, {{"a", 1, {Digest::Kind::sha256, "../x"}}}}, "o/n"), Contains("hash"));
  Listing many{kCommit, {}};
  for (std::size_t i = 0; i <= kMaxFiles; ++i) { many.files.push_back(listed(std::to_string(i))); }
  CHECK_THROWS_WITH(check_listed(many, "o/n"), Contains("more than"));
}

TEST_CASE("Hugging Face's listing gives each file its size and hash") {
  CHECK(parse_commit(R"({"id": "o/n", "sha": "abc", "siblings": []})", "o/n") == "abc");
  const auto files = parse_tree_page(
      R"([{"type": "directory", "oid": "x", "size": 0, "path": "sub"},
          {"type": "file", "oid": "1111111111111111111111111111111111111111", "size": 5, "path": "config.json"},
          {"type": "file", "oid": "2222222222222222222222222222222222222222", "size": 134, "path": "sub/m.safetensors",
           "lfs": {"oid": "3333333333333333333333333333333333333333333333333333333333333333", "size": 9,
                   "pointerSize": 134}, "xetHash": "4"}])",
      "o/n");
  REQUIRE(files.size() == 2);
  CHECK(files[0].path == "config.json");
  CHECK(files[0].size == 5);
  CHECK(files[0].digest == Digest{Digest::Kind::git_blob, std::string(40, '1')});
  CHECK(files[1].size == 9);
  CHECK(files[1].digest == Digest{Digest::Kind::sha256, std::string(64, '3')});
}

TEST_CASE("an answer that is no listing is told as one") {
  for (const char* text : {"", "{", "null", "3", "[]", R"({"sha": 3})", R"({"sha": null})"}) {
    CHECK_THROWS_WITH(parse_commit(text, "o/n"), Contains("o/n") && Contains("HF_ENDPOINT"));
  }
  for (const char* text :
       {"{}", "[3]", R"([{"type": "file"}])", R"([{"type": "file", "path": "a", "size": -1, "oid": "x"}])",
        R"([{"type": "file", "path": "a", "size": 1.5, "oid": "x"}])",
        R"([{"type": "file", "path": "a", "size": 18446744073709551615, "oid": "x"}])",
        R"([{"type": "file", "path": "a", "size": 1}])",
        R"([{"type": "file", "path": "a", "size": 1, "oid": "x", "lfs": {"size": 1}}])"}) {
    INFO(text);
    CHECK_THROWS_AS(parse_tree_page(text, "o/n"), Error);
  }
  CHECK_THROWS_WITH(parse_tree_page(std::string(1000, '['), "o/n"), Contains("nests too deeply"));
}

TEST_CASE("the next page is the one that a Link header calls so") {
  CHECK(next_page(R"(<https://h/a?cursor=x>; rel="next")") == "https://h/a?cursor=x");
  CHECK(next_page(R"(<https://h/a>; rel="prev", <https://h/b>; rel="next")") == "https://h/b");
  CHECK_FALSE(next_page(R"(<https://h/a>; rel="prev")"));
  CHECK_FALSE(next_page("<https://h/a"));
  CHECK_FALSE(next_page(""));
}
