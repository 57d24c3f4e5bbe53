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

TEST_CASE("a name with a slash behind it and the address of a model's page are answered with the name that is meant") {
  const struct {
    const char *typed, *meant;
    bool from_modelscope = false;
  } cases[] = {
      {"mispeech/midashenglm-7b/", "mispeech/midashenglm-7b"},
      {"a/b@v1//", "a/b@v1"},
      {"a/b/", "a/b", true},
      {"https://huggingface.co/a/b", "a/b"},
      {"http://www.huggingface.co/a/b/?x=y/z#w", "a/b"},
      {"huggingface.co/a/b", "a/b"},
      {"hf.co/a/b.git", "a/b"},
      {"https://hf-mirror.com/a/b/tree/main", "a/b"},
      {"https://huggingface.co/a/b/tree/v1.0", "a/b@v1.0"},
      {"https://huggingface.co/a/b/blob/v1.0/extra/config.json", "a/b@v1.0"},
      {"https://huggingface.co/a/b/tree/refs%2Fpr%2F3", "a/b@refs/pr/3"},
      {"https://huggingface.co/a/b/discussions/1", "a/b"},
      {"https://modelscope.cn/models/a/b/summary", "a/b with --from-modelscope true"},
      {"https://www.modelscope.cn/models/a/b/", "a/b", true},
      {"https://modelscope.cn/models/a/b/tree/master", "a/b", true},
      {"https://huggingface.co/a/b", "a/b without --from-modelscope true", true},
  };
  for (const auto& [typed, meant, from_modelscope] : cases) {
    INFO(typed);
    CHECK(did_you_mean_model(typed, from_modelscope) == std::string("Did you mean ") + meant + "? ");
  }
}

TEST_CASE("what means no model is answered with none") {
  for (const char* text :
       {"", "/", "a/", "a", "a/b", "../a/b/", "/tmp/model/", "a/b/c/", "https://example.com/a/b",
        "https://huggingface.co/", "https://huggingface.co/a", "https://huggingface.co/datasets/a/b",
        "https://modelscope.cn/datasets/a/b", "https://modelscope.cn/models/a", "https://huggingface.co.evil.com/a/b",
        "huggingface.co/../b", "https://huggingface.co/a/--b"}) {
    INFO(text);
    CHECK(did_you_mean_model(text, false).empty());
  }
}
