#include "worker/hub/wanted_files.hpp"

#include <catch2/catch.hpp>

#include "common/error.hpp"

using namespace mdl;
using namespace mdl::worker::hub;
using Catch::Contains;

namespace {

Listing repository(const std::vector<std::string>& paths) {
  Listing listing{std::string(40, 'c'), {}};
  for (const std::string& path : paths) {
    listing.files.push_back({path, 1, {Digest::Kind::git_blob, std::string(40, 'a')}});
  }
  return listing;
}

std::vector<std::string> paths(const std::vector<ListedFile>& files) {
  std::vector<std::string> names;
  for (const ListedFile& file : files) { names.push_back(file.path); }
  return names;
}

}  // namespace

TEST_CASE("of what is no weights, texts are taken and nothing else") {
  CHECK(paths(select_small_files(repository({"config.json",
                                             "sub/x.json",
                                             "chat_template.jinja",
                                             "modeling_x.py",
                                             "merges.txt",
                                             "tokenizer.model",
                                             "README.md",
                                             ".gitattributes",
                                             "LICENSE",
                                             "fig/a.png",
                                             "pytorch_model.bin",
                                             "m.pt",
                                             "m.pth",
                                             "m.gguf",
                                             "m.onnx",
                                             "m.safetensors",
                                             ".git/config.json",
                                             "x.pkl",
                                             "tf_model.h5",
                                             "a.JSON"}))) ==
        std::vector<std::string>{"config.json", "sub/x.json", "chat_template.jinja", "modeling_x.py", "merges.txt",
                                 "tokenizer.model"});
}

TEST_CASE("weights are what the index names, else the one file") {
  const auto listing = repository({"config.json", "model-1.safetensors", "model-2.safetensors", "model.safetensors",
                                   "other.safetensors", "consolidated.safetensors", "pytorch_model.bin"});
  const std::string index = R"({"weight_map": {"a": "model-2.safetensors", "b": "model-1.safetensors",
                                               "c": "model-2.safetensors"}})";
  CHECK(paths(select_weights(listing, index, "o/n")) ==
        std::vector<std::string>{"model-1.safetensors", "model-2.safetensors"});
  CHECK(paths(select_weights(listing, "", "o/n")) == std::vector<std::string>{"model.safetensors"});
}

TEST_CASE("an adapter's weights are its own") {
  CHECK(paths(select_weights(repository({"adapter_config.json", "adapter_model.safetensors", "batch_norm.safetensors"}),
                             "", "o/n")) ==
        std::vector<std::string>{"adapter_model.safetensors", "batch_norm.safetensors"});
}

TEST_CASE("a repository is a model, an adapter or refused with what it lacks") {
  CHECK_FALSE(is_adapter(repository({"config.json", "tokenizer.json", "adapter_config.json"}), "o/n"));
  CHECK(is_adapter(repository({"adapter_config.json"}), "o/n"));
  CHECK_THROWS_WITH(is_adapter(repository({"config.json", "vocab.json", "merges.txt"}), "o/n"),
                    Contains("o/n has no tokenizer.json") && Contains("save_pretrained"));
  CHECK_THROWS_WITH(is_adapter(repository({"tokenizer.json"}), "o/n"), Contains("o/n") && Contains("no config.json"));
  CHECK_THROWS_AS(is_adapter(repository({}), "o/n"), UsageError);
}

TEST_CASE("a repository without the weights is told") {
  CHECK_THROWS_WITH(select_weights(repository({"adapter_config.json", "batch_norm.safetensors"}), "", "o/n"),
                    Contains("o/n has no weights as safetensors"));
  const auto listing = repository({"config.json", "pytorch_model.bin"});
  CHECK_THROWS_WITH(select_weights(listing, "", "o/n"), Contains("o/n has no weights as safetensors"));
  CHECK_THROWS_WITH(select_weights(listing, R"({"weight_map": {"a": "gone.safetensors"}})", "o/n"),
                    Contains("gone.safetensors"));
  CHECK_THROWS_AS(select_weights(listing, R"({"weight_map": {"a": "../x"}})", "o/n"), UsageError);
  CHECK_THROWS_AS(select_weights(listing, "{", "o/n"), UsageError);
}
