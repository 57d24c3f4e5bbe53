#include "worker/hub/meant_model.hpp"

#include <catch2/catch.hpp>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "tests/temp_dir.hpp"
#include "worker/hub/model_folder.hpp"

using namespace mdl::worker::hub;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

void write_into(const fs::path& path, const std::string& text = "{}") {
  fs::create_directories(path.parent_path());
  mdl::write_text_atomically(path, text);
}

std::string refusal(const fs::path& folder) {
  try {
    find_model(folder.string(), Parts::all, false);
  } catch (const mdl::UsageError& error) { return error.what(); }
  return {};
}

}  // namespace

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

TEST_CASE("a folder of a cache is answered with the snapshot and the name to give instead") {
  const mdl::test::TempDir dir;
  const fs::path root = fs::canonical(dir.path());
  const fs::path model = root / "models--org--a-name";
  for (const char* commit : {"aaa", "bbb"}) { write_into(model / "snapshots" / commit / "config.json"); }
  write_into(model / "blobs/x");
  write_into(model / "refs/main", "bbb");
  for (const char* folder : {"", "blobs", "refs", "snapshots", "snapshots/"}) {
    const std::string told = refusal(model / folder);
    INFO(told);
    CHECK_THAT(told, Contains((model / "snapshots/bbb").string() + ", or the name org/a-name."));
  }
  CHECK(find_model((model / "snapshots/aaa").string(), Parts::all, false).folder == model / "snapshots/aaa");

  const fs::path other = root / "models/org--other";
  write_into(other / "snapshots/master/config.json");
  CHECK_THAT(refusal(other),
             Contains((other / "snapshots/master").string()) && Contains("the name org/other with --from"));

  fs::create_directories(root / "models--org--empty/snapshots");
  CHECK_THAT(refusal(root / "models--org--empty"), Contains("Give the name org/empty."));

  write_into(root / "models--org--own/config.json");
  fs::create_directories(root / "models--org--own/snapshots");
  CHECK(refusal(root / "models--org--own").empty());
}

TEST_CASE("a file is no model's name, whatever it is called") {
  const mdl::test::TempDir dir;
  const fs::path before = fs::current_path();
  fs::current_path(dir.path());
  write_into("model/config.json");
  const std::string told = refusal("model/config.json");
  fs::current_path(before);
  CHECK_THAT(told, Contains("model/config.json (it is a file)"));
}
