#include "worker/hub/huggingface_cache.hpp"

#include <catch2/catch.hpp>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "tests/temp_dir.hpp"
#include "tests/worker/hub/made_repository.hpp"
#include "worker/hub/missing_files.hpp"
#include "worker/hub/modelscope_cache.hpp"

using namespace mdl;
using namespace mdl::worker::hub;
namespace fs = std::filesystem;
using test::kName, test::kSha, test::Made, test::put_file;

TEST_CASE("the cache has the layout of huggingface_hub") {
  const test::TempDir folder;
  const HuggingFaceCache cache(folder.path() / "hub", true);
  const Made made({"config.json", "tokenizer.json", "a/b/x.json", "model.safetensors"});
  const fs::path snapshot = made.put_into(cache);
  const fs::path model = folder.path() / "hub/models--org--name";
  CHECK(snapshot == model / "snapshots" / kSha);
  CHECK(read_text(model / "refs/main") == kSha);
  CHECK(fs::read_symlink(snapshot / "config.json") == "../../blobs/" + sha256_hex("config.json"));
  CHECK(fs::read_symlink(snapshot / "a/b/x.json") == "../../../../blobs/" + sha256_hex("a/b/x.json"));
  CHECK(read_text(snapshot / "a/b/x.json") == "a/b/x.json");
  CHECK(read_text(folder.path() / "hub/CACHEDIR.TAG").starts_with("Signature: 8a477f597d28d172789f06886806bc55\n"));
  CHECK(cache.find(kName, Parts::all).folder == snapshot);
  CHECK(cache.find(kName, Parts::all).whole());
  CHECK(cache.find({"org", "name", kSha}, Parts::all).whole());
  CHECK_FALSE(cache.find({"org", "name", "v1"}, Parts::all).whole());
  CHECK_FALSE(cache.find({"org", "other", std::nullopt}, Parts::all).whole());
}

TEST_CASE("a revision has its own reference, and a commit has none") {
  const test::TempDir folder;
  const HuggingFaceCache cache(folder.path(), true);
  const Made made({"config.json", "tokenizer.json", "model.safetensors"});
  made.put_into(cache, {"org", "name", "refs/pr/1"});
  CHECK(read_text(folder.path() / "models--org--name/refs/refs/pr/1") == kSha);
  made.put_into(cache, {"org", "other", kSha});
  CHECK_FALSE(fs::exists(folder.path() / "models--org--other/refs"));
}

TEST_CASE("a part of a snapshot is not the whole") {
  const test::TempDir folder;
  const HuggingFaceCache cache(folder.path(), true);
  const fs::path model = folder.path() / "models--org--name";
  const fs::path snapshot = model / "snapshots" / kSha;
  put_file(model / "refs/main", kSha + "\n");
  CHECK(cache.find(kName, Parts::without_weights).folder.empty());
  put_file(snapshot / "config.json");
  CHECK(cache.find(kName, Parts::without_weights).missing == std::vector<std::string>{"tokenizer.json"});
  put_file(snapshot / "tokenizer.json");
  CHECK(cache.find(kName, Parts::without_weights).whole());
  CHECK(cache.find(kName, Parts::all).missing == std::vector<std::string>{"model.safetensors"});
  put_file(snapshot / kSafetensorsIndex, R"({"weight_map": {"a": "1.safetensors", "b": "2.safetensors"}})");
  put_file(snapshot / "1.safetensors");
  fs::create_symlink("../../blobs/nothing", snapshot / "2.safetensors");  // a link to what is not there
  CHECK(cache.find(kName, Parts::all).missing == std::vector<std::string>{"2.safetensors"});
  put_file(snapshot / kSafetensorsIndex, "{ torn");
  CHECK(cache.find(kName, Parts::without_weights).whole());
  CHECK(cache.find(kName, Parts::all).missing ==
        std::vector<std::string>{kSafetensorsIndex + std::string(" (which is broken)")});
  put_file(snapshot / kSafetensorsIndex, R"({"weight_map": {"a": "1.safetensors", "b": "2.safetensors"}})");
  fs::remove(snapshot / "2.safetensors");
  put_file(snapshot / "2.safetensors");
  CHECK(cache.find(kName, Parts::all).whole());
}

TEST_CASE("Python's listing of a commit tells what else is missing") {
  const test::TempDir folder;
  put_file(folder.path() / "config.json");
  put_file(folder.path() / "tokenizer.json");
  const std::string listing = R"({"format_version": 1, "files": {"config.json": {}, "chat_template.jinja": {},
                                  "README.md": {}, "../x.json": {}, "pytorch_model.bin": {}}})";
  CHECK(missing_files(folder.path(), Parts::without_weights, listing) ==
        std::vector<std::string>{"chat_template.jinja"});
  for (const char* other : {"", "{", "[]", R"({"format_version": 2, "files": {"a.json": {}}})", R"({"files": 3})"}) {
    CHECK(missing_files(folder.path(), Parts::without_weights, other).empty());
  }
}

TEST_CASE("an adapter is whole with its two files") {
  const test::TempDir folder;
  put_file(folder.path() / "adapter_config.json");
  CHECK(missing_files(folder.path(), Parts::without_weights) == std::vector<std::string>{"adapter_model.safetensors"});
  put_file(folder.path() / "adapter_model.safetensors");
  CHECK(missing_files(folder.path(), Parts::all).empty());
}

TEST_CASE("a reference that is no commit leads nowhere") {
  const test::TempDir folder;
  const HuggingFaceCache cache(folder.path(), true);
  for (const char* text : {"", "../../..", "main", "cccc"}) {
    put_file(folder.path() / "models--org--name/refs/main", text);
    CHECK(cache.find(kName, Parts::without_weights).folder.empty());
  }
}

TEST_CASE("what is there, of the right size, is not fetched again, and what is shared is read and not written") {
  const test::TempDir folder;
  const HuggingFaceCache cache(folder.path(), true);
  const Made made({"config.json"});
  const ListedFile& file = made.listing.files.front();
  CHECK_FALSE(cache.find_file(kName, made.listing, file));
  const fs::path blob = folder.path() / "models--org--name/blobs" / file.digest.hex;
  const fs::path shared = folder.path() / "blobs/ab/abc";
  put_file(shared, "config.json");
  fs::create_directories(blob.parent_path());
  fs::create_symlink("../../blobs/ab/abc", blob);
  CHECK(cache.find_file(kName, made.listing, file) == blob);
  put_file(shared, "other");
  CHECK_FALSE(cache.find_file(kName, made.listing, file));
  made.put_into(cache);
  CHECK(read_text(shared) == "other");
  CHECK(read_text(blob) == "config.json");
}

TEST_CASE("without links the snapshot has real files") {
  const test::TempDir folder;
  const HuggingFaceCache cache(folder.path(), false);
  const Made made({"config.json", "tokenizer.json", "model.safetensors"});
  const fs::path snapshot = made.put_into(cache);
  CHECK_FALSE(fs::is_symlink(snapshot / "model.safetensors"));
  CHECK(read_text(snapshot / "model.safetensors") == "model.safetensors");
  CHECK(cache.find(kName, Parts::all).whole());
}

TEST_CASE("half a file, or another one, under a snapshot's name is replaced") {
  for (const bool symlinks : {false, true}) {
    for (const char* wrong : {"half", "CONFIG.JSON"}) {
      const test::TempDir folder;
      const HuggingFaceCache cache(folder.path(), symlinks);
      const Made made({"config.json"});
      const fs::path snapshot = folder.path() / "models--org--name/snapshots" / kSha;
      put_file(snapshot / "config.json", wrong);
      const ListedFile& file = made.listing.files.front();
      const auto place = cache.part_place(kName, made.listing, file);
      fs::create_directories(place.folder);
      put_file(place.folder / "part", "config.json");
      cache.keep(kName, made.listing, file, place.folder / "part");
      cache.publish(kName, made.listing, made.listing.files);
      CHECK(read_text(snapshot / "config.json") == "config.json");
      CHECK(cache.publish(kName, made.listing, made.listing.files) == snapshot);
      CHECK(std::distance(fs::directory_iterator(snapshot), {}) == 1);  // no temporary name is left
    }
  }
}

TEST_CASE("names may be as long as the disk takes, and a revision without a place is refused before the download") {
  const test::TempDir folder;
  const HuggingFaceCache cache(folder.path(), true);
  const std::string longest = std::string(250, 'a') + ".json";
  const Made made({"config.json", longest});
  const fs::path snapshot = made.put_into(cache, {"org", "name", std::string(255, 'r')});
  CHECK(fs::is_symlink(snapshot / longest));
  made.put_into(cache, {"org", "name", "a"});
  const ModelName below{"org", "name", "a/b"};
  CHECK_THROWS_AS(cache.require_names(below, made.listing), UsageError);
  made.put_into(cache, {"org", "name", "c/d"});
  CHECK_THROWS_WITH(cache.require_names({"org", "name", "c"}, made.listing), Catch::Contains("refs/c"));
  CHECK_THROWS_AS(cache.require_names({"org", "name", std::string(256, 'r')}, made.listing), UsageError);
  CHECK_NOTHROW(cache.require_names({"org", "name", kSha}, made.listing));
  const ModelscopeCache other(folder.path() / "ms");
  CHECK_THROWS_AS(other.require_names({"org", "name", std::string(250, 'r')}, made.listing), UsageError);
  CHECK_NOTHROW(other.require_names(below, made.listing));
}

TEST_CASE("a newer commit takes the reference over and keeps what did not change") {
  const test::TempDir folder;
  const HuggingFaceCache cache(folder.path(), true);
  Made made({"config.json", "tokenizer.json", "model.safetensors"});
  made.put_into(cache);
  made.listing.commit = std::string(40, 'd');
  CHECK(cache.find_file(kName, made.listing, made.listing.files.back()));
  CHECK(made.put_into(cache) == folder.path() / "models--org--name/snapshots" / made.listing.commit);
  CHECK(cache.find(kName, Parts::all).folder.filename() == made.listing.commit);
}

TEST_CASE(
    "a link of the user's that leads to the right content is left, and none is made to a blob that is not there") {
  const test::TempDir folder;
  const HuggingFaceCache cache(folder.path() / "hub", true);
  const Made made({"config.json", "tokenizer.json"});
  const fs::path snapshot = made.put_into(cache);
  const fs::path name = snapshot / "tokenizer.json";
  const fs::path elsewhere = folder.path() / "elsewhere";
  const fs::path blob = folder.path() / "hub/models--org--name/blobs" / made.listing.files[1].digest.hex;
  fs::rename(blob, elsewhere);
  fs::remove(name);
  fs::create_symlink(elsewhere, name);
  CHECK(cache.has_right(kName, made.listing, made.listing.files[1]));
  made.put_into(cache);
  CHECK(fs::read_symlink(name) == elsewhere);
  CHECK(cache.find(kName, Parts::without_weights).whole());

  put_file(elsewhere, "wrong content!");  // of the same size, once the right one has come
  put_file(blob, "tokenizer.json");
  made.put_into(cache);
  CHECK(read_text(name) == "tokenizer.json");

  fs::remove(blob);
  fs::remove(name);
  CHECK_THROWS_AS(cache.publish(kName, made.listing, made.listing.files), Error);
  CHECK_FALSE(fs::is_symlink(name));
}
