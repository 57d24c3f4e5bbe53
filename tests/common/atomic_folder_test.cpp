#include "common/atomic_folder.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <functional>
#include <future>
#include <string>
#include <vector>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "tests/plain_user.hpp"
#include "tests/temp_dir.hpp"

using namespace mdl;
using mdl::test::PlainUser;
using mdl::test::TempDir;
namespace fs = std::filesystem;

TEST_CASE("a folder that fails half-way never appears under its name") {
  const TempDir output;
  const fs::path target = output.path() / "checkpoint-5";
  CHECK_THROWS_AS(write_folder_atomically(target,
                                          [](const fs::path& folder) {
                                            write_text_atomically(folder / "first", "1");
                                            throw Error("the disk is full");
                                          }),
                  Error);
  CHECK(fs::is_empty(output.path()));
}

TEST_CASE("a folder replaces an older one, with what a killed run left") {
  const TempDir output;
  const fs::path target = output.path() / "checkpoint-5";
  fs::create_directories(target);
  write_text_atomically(target / "old", "1");
  fs::create_directories(output.path() / "checkpoint-5.unfinished-77/half");
  write_folder_atomically(target, [](const fs::path& folder) { write_text_atomically(folder / "new", "2"); });
  CHECK(read_text(target / "new") == "2");
  CHECK_FALSE(fs::exists(target / "old"));
  CHECK(std::distance(fs::directory_iterator(output.path()), {}) == 1);
}

TEST_CASE("a folder that cannot be finished leaves the older one whole") {
  const TempDir output;
  const fs::path target = output.path() / "final";
  write_folder_atomically(target, [](const fs::path& folder) { write_text_atomically(folder / "old", "1"); });
  CHECK_THROWS_AS(write_folder_atomically(target, [](const fs::path&) { throw Error("the disk is full"); }), Error);
  CHECK(read_text(target / "old") == "1");
  CHECK(std::distance(fs::directory_iterator(output.path()), {}) == 1);
}

TEST_CASE("two that write the same folder at once never mix their files, and the one that began later wins") {
  const TempDir output;
  const fs::path target = output.path() / "checkpoint-5";
  const auto write = [&](const std::string& who, const std::function<void()>& meanwhile) {
    write_folder_atomically(target, [&](const fs::path& folder) {
      write_text_atomically(folder / "first", who);
      meanwhile();
      write_text_atomically(folder / "second", who);
    });
  };
  SECTION("the sleeper wakes when the other is through") {
    CHECK_THROWS_AS(write("sleeper", [&] { write("other", [] {}); }), Error);
  }
  SECTION("the sleeper wakes while the other writes") {
    std::promise<void> began;
    std::promise<void> wake;
    auto sleeper = std::async(std::launch::async, [&] {
      write("sleeper", [&] {
        began.set_value();
        wake.get_future().wait();
      });
    });
    began.get_future().wait();
    write("other", [&] {
      wake.set_value();
      CHECK_THROWS_AS(sleeper.get(), Error);
    });
  }
  CHECK(read_text(target / "first") == "other");
  CHECK(read_text(target / "second") == "other");
  CHECK(std::distance(fs::directory_iterator(output.path()), {}) == 1);
}

TEST_CASE("a slash at the end of a folder's name changes nothing") {
  const TempDir output;
  write_folder_atomically(output.path() / "final/",
                          [](const fs::path& folder) { write_text_atomically(folder / "new", "2"); });
  CHECK(read_text(output.path() / "final/new") == "2");
  CHECK(std::distance(fs::directory_iterator(output.path()), {}) == 1);
}

TEST_CASE("a folder that is a link is written where the link leads, and the link stays") {
  const TempDir output;
  const fs::path real = output.path() / "disk/final";
  fs::create_directories(real);
  write_text_atomically(real / "old", "1");
  fs::create_directory_symlink("disk/final", output.path() / "final");
  write_folder_atomically(output.path() / "final/",
                          [](const fs::path& folder) { write_text_atomically(folder / "new", "2"); });
  CHECK(fs::is_symlink(output.path() / "final"));
  CHECK(read_text(real / "new") == "2");
  CHECK_FALSE(fs::exists(real / "old"));
  CHECK(std::distance(fs::directory_iterator(output.path() / "disk"), {}) == 1);
}

TEST_CASE("a folder that cannot be renamed is filled from inside, the file that makes it whole as the last") {
  const TempDir output;
  const fs::path target = output.path() / "data", finished = target / ".partial";
  fs::create_directories(finished);
  for (const char* name : {"a", "state.json", "plan"}) { write_text_atomically(finished / name, "new"); }
  fs::create_directories(target / "lost+found");
  for (const char* name : {"b", "state.json"}) { write_text_atomically(target / name, "old"); }
  const MoveOrder order{.last = "state.json", .never = "plan"};
  SECTION("the older files go, and lost+found stays") {
    publish_folder(finished, target, order);
    CHECK(read_text(target / "a") == "new");
    CHECK(read_text(target / "state.json") == "new");
    CHECK(std::distance(fs::directory_iterator(target), {}) == 3);
  }
  SECTION("folders take the place of older ones, and a file that both have stays") {
    fs::create_directories(finished / "plots");
    write_text_atomically(finished / "plots/new.svg", "new");
    fs::create_directories(target / "plots");
    write_text_atomically(target / "plots/old.svg", "old");
    write_text_atomically(target / "card.md", "mine");
    fs::create_hard_link(target / "card.md", finished / "card.md");
    publish_folder(finished, target, order);
    CHECK(read_text(target / "card.md") == "mine");
    CHECK(fs::exists(target / "plots/new.svg"));
    CHECK_FALSE(fs::exists(target / "plots/old.svg"));
    CHECK_FALSE(fs::exists(finished));
  }
  SECTION("where a file cannot be moved, what is there is not taken for whole") {
    fs::permissions(finished, fs::perms::owner_read | fs::perms::owner_exec);
    {
      const PlainUser user({output.path(), target, finished});
      CHECK_THROWS_AS(publish_folder(finished, target, order), fs::filesystem_error);
    }
    CHECK_FALSE(fs::exists(target / "state.json"));
    CHECK(fs::exists(finished / "state.json"));
  }
}

TEST_CASE("a folder that is removed only in part is gone under its name, and the rest goes later") {
  const TempDir output;
  const fs::path target = output.path() / "checkpoint-5";
  const fs::path kept = target / "kept";
  fs::create_directories(kept);
  write_text_atomically(kept / "file", "1");
  fs::permissions(kept, fs::perms::owner_read | fs::perms::owner_exec);
  {
    const PlainUser user({output.path(), target});
    CHECK_THROWS_WITH(remove_folder_atomically(target), Catch::Contains("cannot remove " + target.string()));
  }
  CHECK_FALSE(fs::exists(target));
  const fs::path rest = output.path() / "checkpoint-5.removed";
  CHECK(fs::exists(rest / "kept/file"));
  fs::permissions(rest / "kept", fs::perms::owner_all);
  fs::create_directories(target);  // the same step once more
  remove_folder_atomically(target);
  CHECK(fs::is_empty(output.path()));
}

TEST_CASE("links that lead nowhere and pipes have a place in a folder as files do") {
  const TempDir folder;
  const fs::path target = folder.path() / "out";
  write_folder_atomically(target, [](const fs::path& unfinished) {
    fs::create_symlink("nowhere", unfinished / "link");
    REQUIRE(::mkfifo((unfinished / "pipe").c_str(), 0600) == 0);
  });
  CHECK(fs::is_symlink(target / "link"));
  CHECK(fs::is_fifo(target / "pipe"));
}
