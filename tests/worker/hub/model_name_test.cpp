#include "worker/hub/model_name.hpp"

#include <catch2/catch.hpp>

using namespace mdl::worker::hub;

TEST_CASE("a model's name is ORG/NAME, with a revision behind an @") {
  const auto name = parse_model_name("mispeech/midashenglm-7b");
  REQUIRE(name);
  CHECK(name->repository() == "mispeech/midashenglm-7b");
  CHECK_FALSE(name->revision);
  CHECK(parse_model_name("a/b@v1.0")->revision == "v1.0");
  CHECK(parse_model_name("a/b@refs/pr/3")->revision == "refs/pr/3");
  CHECK(parse_model_name("a_b/_c_@x")->text() == "a_b/_c_@x");
}

TEST_CASE("what can be no name at a hub is none") {
  for (const char* text : {"",       "model",  "/a/b",    "./a",    "../a",     "a/b/c",    "a/",   "/b",
                           "a--b/c", "a/b..c", "-a/b",    "a/b.",   "a/b.git",  "a/b c",    "a/b@", "a/b@../x",
                           "a/b@-x", "a/b@x/", "a/b@x y", "a/b@.x", "a/b@a//b", "a/b@a/.b", "~/b",  "a/\xC3\xA4"}) {
    INFO(text);
    CHECK_FALSE(parse_model_name(text));
  }
  CHECK_FALSE(parse_model_name("a/" + std::string(97, 'b')));
  CHECK(parse_model_name("a/" + std::string(96, 'b')));
  CHECK_FALSE(parse_model_name("a/b@" + std::string(256, 'c')));
}

TEST_CASE("a commit is 40 digits") {
  CHECK(is_commit(std::string(40, 'a')));
  CHECK_FALSE(is_commit(std::string(39, 'a')));
  CHECK_FALSE(is_commit(std::string(40, 'A')));
  CHECK_FALSE(is_commit(std::string(40, 'g')));
}
