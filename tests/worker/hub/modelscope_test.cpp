#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <barrier>
#include <catch2/catch.hpp>
#include <fstream>
#include <map>
#include <thread>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/unique_fd.hpp"
#include "tests/temp_dir.hpp"
#include "worker/hub/cache_files.hpp"
#include "worker/hub/modelscope_cache.hpp"
#include "worker/hub/modelscope_listing.hpp"
#include "worker/hub/modelscope_settings.hpp"

using namespace mdl;
using namespace mdl::worker::hub;
using Catch::Contains;
using mdl::test::TempDir;
namespace fs = std::filesystem;

namespace {

ModelscopeSettings modelscope_settings(std::map<std::string, std::string> variables) {
  variables.emplace("HOME", "/home/u");
  return read_modelscope_settings([variables](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  });
}

void write(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

ListedFile listed(const std::string& path, const std::string& content) {
  return {.path = path,
          .size = static_cast<std::int64_t>(content.size()),
          .digest = {Digest::Kind::sha256, sha256_hex(content)}};
}

/// As a download leaves it before it is published.
void bring(const ModelscopeCache& cache, const ModelName& model, const ListedFile& file, const std::string& content,
           const std::string& owner = "mine") {
  const auto place = cache.part_place(model, {}, file);
  const fs::path part = place.folder / (place.stem + "." + owner + ".incomplete");
  write(part, content);
  cache.keep(model, {}, file, part);
}

const ModelName kModel{"o", "n.1", std::nullopt};

}  // namespace

TEST_CASE("ModelScope's variables count as its package reads them") {
  CHECK(modelscope_settings({}).cache == "/home/u/.cache/modelscope");
  CHECK(modelscope_settings({{"MODELSCOPE_CACHE", "~/ms"}}).cache == "/home/u/ms");
  CHECK(modelscope_settings({{"MODELSCOPE_CACHE", ""}}).cache == "/home/u/.cache/modelscope");
  CHECK(modelscope_settings({}).endpoint == "https://modelscope.cn");
  CHECK(modelscope_settings({{"MODELSCOPE_DOMAIN", "www.modelscope.ai"}}).endpoint == "https://www.modelscope.ai");
  CHECK(modelscope_settings({{"MODELSCOPE_DOMAIN", "http://localhost:1/"}}).endpoint == "http://localhost:1");
  CHECK(modelscope_settings({{"MODELSCOPE_DOMAIN", "a"}, {"MODELSCOPE_ENDPOINT", "b"}}).endpoint == "https://b");
  CHECK(modelscope_settings({{"MODELSCOPE_API_TOKEN", " ms-1\n"}}).token == "ms-1");
  CHECK_FALSE(modelscope_settings({{"MODELSCOPE_API_TOKEN", ""}}).token);
  CHECK_THROWS_WITH(modelscope_settings({{"MODELSCOPE_DOMAIN", "ftp://x"}}), Contains("MODELSCOPE_DOMAIN"));
  CHECK_THROWS_WITH(modelscope_settings({{"MODELSCOPE_API_TOKEN", "a; b=c"}}), Contains("MODELSCOPE_API_TOKEN"));
}

TEST_CASE("ModelScope's listing gives each file its size, hash and commit") {
  const auto files = parse_modelscope_files(
      R"({"Code": 200, "Data": {"Files": [
          {"Path": "fig", "Type": "tree", "Size": 0, "Sha256": ""},
          {"Path": "a.json", "Type": "blob", "Size": 3, "Sha256": "", "Revision": "r1"},
          {"Path": "fig/b", "Type": "blob", "Size": 9, "Sha256": "AB12"}]}, "Success": true})",
      "o/n");
  REQUIRE(files.size() == 2);
  CHECK(files[0].digest.kind == Digest::Kind::none);
  CHECK(files[0].revision == "r1");
  CHECK((files[1].path == "fig/b" && files[1].size == 9));
  CHECK(files[1].digest == Digest{Digest::Kind::sha256, "ab12"});
}

TEST_CASE("what is no listing of ModelScope's is refused, and so is one that may be cut") {
  for (const char* text :
       {"", "[]", "{}", R"({"Data": null})", R"({"Data": {"Files": {}}})", R"({"Data": {"Files": [1]}})",
        R"({"Data": {"Files": [{"Path": "a"}]}})", R"({"Data": {"Files": [{"Path": "a", "Size": -1}]}})",
        R"({"Data": {"Files": [{"Path": 1, "Size": 1}]}})"}) {
    INFO(text);
    CHECK_THROWS_WITH(parse_modelscope_files(text, "o/n"), Contains("o/n"));
  }
  std::string many = R"({"Data": {"Files": [{"Path": "a", "Size": 1})";
  for (std::size_t i = 1; i < kModelscopeListingLimit; ++i) { many += R"(,{"Path": "a", "Size": 1})"; }
  CHECK_THROWS_WITH(parse_modelscope_files(many + "]}}", "o/n"), Contains("3000"));
  CHECK(modelscope_message("{\"Message\": \"no\\u001b[1m\"}") == "no?[1m");
  CHECK(modelscope_message("<html>").empty());
}

TEST_CASE("a published snapshot is whole, is found, and leaves nothing beside it") {
  const TempDir root;
  const ModelscopeCache cache(root.path());
  const std::vector files = {listed("config.json", "{}"), listed("tokenizer.json", "[]"),
                             listed("sub/twin.json", "[]")};
  bring(cache, kModel, files[0], "{}");
  bring(cache, kModel, files[1], "[]");
  CHECK(cache.find_file(kModel, {}, files[2]));
  CHECK(cache.find(kModel, Parts::without_weights).folder.empty());

  const fs::path snapshot = cache.publish(kModel, {}, files);

  CHECK(snapshot == root.path() / "models/o--n.1/snapshots/master");
  CHECK(cache.find(kModel, Parts::without_weights).whole());
  CHECK(read_text(snapshot / "sub/twin.json") == "[]");
  CHECK_FALSE(fs::exists(root.path() / "models/o--n.1/.incomplete-master"));
  CHECK(cache.find(kModel, Parts::all).missing == std::vector<std::string>{"model.safetensors"});
  CHECK(cache.publish(kModel, {}, files) == snapshot);
}

TEST_CASE("a file of the same size and another content is fetched anew, and takes the old one's place") {
  const TempDir root;
  const ModelscopeCache cache(root.path());
  const fs::path snapshot = root.path() / "models/o--n.1/snapshots/master";
  write(snapshot / "config.json", "{}");
  write(snapshot / "tokenizer.json", "[]");
  const std::vector files = {listed("config.json", "{}"), listed("tokenizer.json", "{}")};
  CHECK(cache.find_file(kModel, {}, files[0]) == snapshot / "config.json");
  CHECK_FALSE(cache.find_file(kModel, {}, files[1]));
  bring(cache, kModel, files[1], "{}");
  cache.publish(kModel, {}, files);
  CHECK(read_text(snapshot / "tokenizer.json") == "{}");
  CHECK(read_text(snapshot / "config.json") == "{}");
}

TEST_CASE("files that were different and are twins now both change") {
  const TempDir root;
  const ModelscopeCache cache(root.path());
  const fs::path snapshot = root.path() / "models/o--n.1/snapshots/master";
  write(snapshot / "notes.json", "11");
  write(snapshot / "twin.json", "22");
  write(snapshot / "config.json", "44");  // wrong content must not go under the new hash
  const std::vector files = {listed("config.json", "33"), listed("notes.json", "33"), listed("twin.json", "33")};
  bring(cache, kModel, files[1], "33");
  cache.publish(kModel, {}, files);
  for (const char* name : {"config.json", "notes.json", "twin.json"}) { CHECK(read_text(snapshot / name) == "33"); }
}

TEST_CASE("who comes second with the same files takes no name away from the first") {
  const TempDir root;
  const ModelscopeCache cache(root.path());
  const std::vector files = {listed("config.json", "{}"), listed("tokenizer.json", "[]")};
  for (const ListedFile& file : files) { bring(cache, kModel, file, file.path == "config.json" ? "{}" : "[]"); }
  const fs::path snapshot = cache.publish(kModel, {}, files);
  const ModelscopeCache other(root.path());
  bring(other, kModel, files[1], "[]");
  const UniqueFd watch(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  REQUIRE(::inotify_add_watch(watch.get(), snapshot.c_str(), IN_DELETE | IN_MOVED_FROM) >= 0);
  other.publish(kModel, {}, files);
  std::array<char, 4096> events{};
  CHECK(::read(watch.get(), events.data(), events.size()) == -1);  // nothing lost its name
  CHECK(cache.find(kModel, Parts::without_weights).whole());
  CHECK_FALSE(fs::exists(root.path() / "models/o--n.1/.incomplete-master"));
}

TEST_CASE("of two that publish the same new files at once neither takes the other's config.json away") {
  const std::vector old = {listed("config.json", "{}"), listed("tokenizer.json", "[]")};
  const std::vector files = {listed("config.json", "{1}"), listed("tokenizer.json", "[1]")};
  for (int round = 0; round < 60; ++round) {
    const TempDir root;
    const fs::path snapshot = root.path() / "models/o--n.1/snapshots/master";
    write(snapshot / "config.json", "{}");
    write(snapshot / "tokenizer.json", "[]");
    std::barrier both(2);
    const auto publish = [&](const std::string& owner) {
      const ModelscopeCache cache(root.path());
      bring(cache, kModel, files[0], "{1}", owner);
      bring(cache, kModel, files[1], "[1]", owner);
      both.arrive_and_wait();
      for (int tries = 0; tries < 50; ++tries) {
        try {
          cache.publish(kModel, {}, files);
          return;
        } catch (const Vanished&) { std::this_thread::yield(); }
      }
    };
    {
      std::jthread other(publish, "theirs");
      publish("mine");
    }
    REQUIRE(fs::exists(snapshot / "config.json"));
    CHECK(read_text(snapshot / "config.json") == "{1}");
    CHECK(read_text(snapshot / "tokenizer.json") == "[1]");
  }
}

TEST_CASE("an index of shards goes when the model is one file") {
  const TempDir root;
  const ModelscopeCache cache(root.path());
  const fs::path snapshot = root.path() / "models/o--n.1/snapshots/master";
  write(snapshot / kSafetensorsIndex, R"({"weight_map": {"a": "1.safetensors"}})");
  write(snapshot / "config.json", "{}");
  write(snapshot / "tokenizer.json", "[]");
  const std::vector files = {listed("config.json", "{}"), listed("tokenizer.json", "[]"),
                             listed("model.safetensors", "weights")};
  bring(cache, kModel, files[2], "weights");
  cache.publish(kModel, {.commit = "master", .files = files}, files);
  CHECK_FALSE(fs::exists(snapshot / kSafetensorsIndex));
  CHECK(cache.find(kModel, Parts::all).whole());
}

TEST_CASE("folders of older versions of the package are found where no revision is asked for") {
  for (const char* folder :
       {"models/o/n___1", "hub/models/o/n___1", "o/n.1", "o/n___1", "hub/o/n.1", "hub/o/n___1", "models/o/n.1"}) {
    INFO(folder);
    const TempDir root;
    const ModelscopeCache cache(root.path());
    write(root.path() / folder / "config.json", "{}");
    CHECK(cache.find(kModel, Parts::without_weights).missing == std::vector<std::string>{"tokenizer.json"});
    write(root.path() / folder / "tokenizer.json", "{}");
    CHECK(cache.find(kModel, Parts::without_weights).folder == root.path() / folder);
    CHECK(cache.find({"o", "n.1", "v1"}, Parts::without_weights).folder.empty());
  }
}
