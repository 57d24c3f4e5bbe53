#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "common/atomic_file.hpp"
#include "tests/temp_dir.hpp"
#include "worker/training/checkpoint/final_folder.hpp"

using namespace mdl;
using namespace mdl::worker::training::checkpoint;
using mdl::test::TempDir;
namespace fs = std::filesystem;

namespace {

void put(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file) << text;
}

}  // namespace

TEST_CASE("weights and what describes them are ours in final/, other names a user's") {
  for (const char* name : {"model.safetensors", "model-00001-of-00004.safetensors", "model.safetensors.index.json",
                           "adapter_model.safetensors", "adapter_config.json", "config.json", "tokenizer.json",
                           "pytorch_model-00001-of-00002.bin"}) {
    CHECK(is_ours_in_final(name));
  }
  for (const char* name : {"my_model_card.md", "README.md", "model-card.safetensors", "notes", "model-.safetensors"}) {
    CHECK_FALSE(is_ours_in_final(name));
  }
}

TEST_CASE("a new final/ keeps what a user put into the old one, and nothing of ours") {
  const TempDir folder;
  const fs::path older = folder.path() / "final", newer = folder.path() / "final.unfinished-1";
  put(older / "README.md", "of the base model");
  put(older / "modeling.py", "of the base model");
  put(older / "model-00001-of-00002.safetensors", "stale");
  put(older / "adapter_model.safetensors", "stale");
  write_final_record(older, {.run = "a", .step = 4});
  put(older / "README.md", "the user's own words");
  put(older / "card.md", "mine");
  put(older / "plots/loss.svg", "mine too");
  fs::create_symlink("nowhere", older / "link");
  REQUIRE(::mkfifo((older / "plots/pipe").c_str(), 0600) == 0);

  put(newer / "model.safetensors", "new");
  put(newer / "README.md", "of the base model");
  auto kept = keep_users_files(older, newer);
  std::sort(kept.begin(), kept.end());
  CHECK(kept == std::vector<std::string>{"README.md", "card.md", "link", "plots"});
  CHECK(read_text(newer / "README.md") == "the user's own words");
  CHECK(read_text(newer / "card.md") == "mine");
  CHECK(read_text(newer / "plots/loss.svg") == "mine too");
  CHECK(fs::is_symlink(newer / "link"));
  CHECK(fs::is_fifo(newer / "plots/pipe"));
  CHECK(read_text(newer / "model.safetensors") == "new");
  for (const char* name : {"modeling.py", "model-00001-of-00002.safetensors", "adapter_model.safetensors"}) {
    CHECK_FALSE(fs::exists(newer / name));
  }
  CHECK(fs::exists(older / "card.md"));  // until the new one has taken its place
  CHECK(keep_users_files(folder.path() / "nothing", newer).empty());
}

TEST_CASE("a final/ stays when a run was done before, but not another run's or one without weights") {
  const TempDir folder;
  const FinalOrigin now{.run = "a", .step = 4};
  put(folder.path() / "card.md", "mine");
  CHECK_FALSE(final_is_there(folder.path(), now, false));
  put(folder.path() / "model.safetensors", "weights");
  CHECK(final_is_there(folder.path(), now, false));  // of an earlier version, which left no record
  CHECK_FALSE(final_is_there(folder.path(), now, true));
  write_final_record(folder.path(), now);
  CHECK(final_is_there(folder.path(), now, true));
  write_final_record(folder.path(), {.run = "a", .step = 3});  // of an earlier end: a kill came before the later one
  CHECK_FALSE(final_is_there(folder.path(), now, false));
  CHECK_FALSE(final_is_there(folder.path(), now, true));
  write_final_record(folder.path(), now);
  fs::create_directory(folder.path() / ".unfinished-1");  // a kill came while it was moved to a mounted folder
  CHECK_FALSE(final_is_there(folder.path(), now, false));
  fs::remove(folder.path() / ".unfinished-1");
  write_final_record(folder.path(), {.run = "b", .step = 4});
  CHECK_FALSE(final_is_there(folder.path(), now, false));
  CHECK(final_is_there(folder.path(), {.run = "", .step = 4}, false));  // a checkpoint of an earlier version
}

TEST_CASE("a new final/ that is filled inside the old one does not keep itself") {
  const TempDir folder;
  const fs::path older = folder.path() / "final", newer = older / ".unfinished-1";
  put(older / "card.md", "mine");
  fs::create_directory(older / "lost+found");
  put(newer / "model.safetensors", "new");
  CHECK(keep_users_files(older, newer) == std::vector<std::string>{"card.md"});
  CHECK(read_text(newer / "card.md") == "mine");
  CHECK_FALSE(fs::exists(newer / ".unfinished-1"));
}

TEST_CASE("a link in final/ with a name of ours gives way to the new file, and what it leads to stays") {
  const TempDir folder;
  const fs::path older = folder.path() / "final", newer = folder.path() / "final.unfinished-1";
  put(folder.path() / "elsewhere/model.safetensors", "old");
  put(folder.path() / "elsewhere/modeling.py", "of the base model");
  fs::create_directory(older);
  for (const char* name : {"model.safetensors", "modeling.py"}) {
    fs::create_symlink(folder.path() / "elsewhere" / name, older / name);
  }
  put(newer / "model.safetensors", "new");
  put(newer / "modeling.py", "of the base model");
  CHECK(keep_users_files(older, newer).empty());
  CHECK(read_text(newer / "model.safetensors") == "new");
  CHECK_FALSE(fs::is_symlink(newer / "modeling.py"));
  CHECK(read_text(folder.path() / "elsewhere/model.safetensors") == "old");
}
