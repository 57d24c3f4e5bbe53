#include "common/atomic_file.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <thread>

#include "common/error.hpp"
#include "tests/temp_dir.hpp"

namespace fs = std::filesystem;
using mdl::test::TempDir;

namespace {
std::size_t files_in(const fs::path& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}
}  // namespace

TEST_CASE("an atomic write replaces the old file as a whole") {
  const TempDir dir;
  const fs::path path = dir.path() / "a.txt";
  mdl::write_text_atomically(path, "old");
  mdl::write_text_atomically(path, "new and longer");
  CHECK(mdl::read_text(path) == "new and longer");
  CHECK(files_in(dir.path()) == 1);
}

TEST_CASE("a file that is a link is written where the link leads, and the link stays") {
  const TempDir dir;
  fs::create_directory(dir.path() / "disk");
  fs::create_symlink("disk/a.txt", dir.path() / "link");
  fs::create_symlink(dir.path() / "link", dir.path() / "link-to-it");
  for (const char* text : {"not there yet", "new"}) {
    mdl::write_text_atomically(dir.path() / "link-to-it", text);
    CHECK(mdl::read_text(dir.path() / "disk/a.txt") == text);
  }
  CHECK(fs::is_symlink(dir.path() / "link"));
  CHECK(files_in(dir.path() / "disk") == 1);
}

TEST_CASE("a write that fails half-way leaves the old file and no temporary one") {
  const TempDir dir;
  const fs::path path = dir.path() / "a.txt";
  mdl::write_text_atomically(path, "old");
  CHECK_THROWS_AS(mdl::write_atomically(path,
                                        [](const fs::path& temporary) {
                                          std::ofstream(temporary) << "half";
                                          throw std::runtime_error("interrupted");
                                        }),
                  std::runtime_error);
  CHECK(mdl::read_text(path) == "old");
  CHECK(files_in(dir.path()) == 1);
}

TEST_CASE("a write into a missing folder and a read of a missing file name the path") {
  const TempDir dir;
  CHECK_THROWS_WITH(mdl::write_text_atomically(dir.path() / "none" / "a.txt", "x"), Catch::Contains("none/a.txt"));
  CHECK_THROWS_WITH(mdl::read_text(dir.path() / "missing.txt"), Catch::Contains("missing.txt"));
  CHECK_THROWS_WITH(mdl::read_text(dir.path()), Catch::Contains("directory"));
}

TEST_CASE("what might never end is refused at once, and a pipe that has been given is read") {
  const TempDir dir;
  const fs::path pipe = dir.path() / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK_THROWS_WITH(mdl::read_text(pipe), Catch::EndsWith("pipe: it is a named pipe, not a file"));
  CHECK_THROWS_WITH(mdl::read_text("/dev/zero"), Catch::EndsWith("/dev/zero: it is a device, not a file"));
  CHECK(mdl::read_text("/dev/null").empty());
  CHECK(mdl::describe_no_file(pipe) == "a named pipe");
  CHECK(mdl::describe_no_file(dir.path()) == "a folder");
  CHECK(mdl::describe_no_file(dir.path() / "none").empty());

  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  ssize_t written = 0;
  std::thread writer([&] {  // more than a pipe holds, so that the reader meets an empty one
    const std::string text(200'000, 'x');
    written = ::write(ends[1], text.data(), text.size());
    ::close(ends[1]);
  });
  CHECK(mdl::read_text("/dev/fd/" + std::to_string(ends[0])).size() == 200'000);
  writer.join();
  CHECK(written == 200'000);
  ::close(ends[0]);
}

TEST_CASE("a pipe is never replaced by a file, by its own name or a link's") {
  const TempDir folder;
  const fs::path pipe = folder.path() / "pipe", link = folder.path() / "link";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  fs::create_symlink(pipe, link);
  for (const fs::path& name : {pipe, link}) {
    CHECK_THROWS_WITH(mdl::write_text_atomically(name, "x"), Catch::Contains("it is a named pipe, not a file"));
  }
  CHECK(fs::is_fifo(pipe));
  CHECK(files_in(folder.path()) == 2);
}
