#include "worker/libraries/missing_libraries.hpp"

#include <catch2/catch.hpp>
#include <fstream>

#include "tests/temp_dir.hpp"
#include "tests/worker/libraries/made_packages.hpp"
#include "worker/libraries/elf_file.hpp"

using namespace mdl;
using namespace mdl::worker::libraries;
namespace fs = std::filesystem;
using namespace std::string_literals;

namespace {

const fs::path kProgram = MDL_BIN_DIR "/mdl-toolkit-data";

std::vector<std::string> names(const std::vector<MissingLibrary>& libraries) {
  std::vector<std::string> all;
  for (const MissingLibrary& each : libraries) { all.push_back(each.name); }
  return all;
}

}  // namespace

TEST_CASE("a program says which libraries it needs and where they may lie") {
  const auto file = read_elf_file(kProgram);
  REQUIRE(file);
  CHECK_THAT(file->needed, Catch::VectorContains(std::string("libarrow.so.2600")));
  CHECK_THAT(file->search, Catch::VectorContains(std::string("$ORIGIN/site-packages/pyarrow")));
}

TEST_CASE("what is no program, or only a part of one, is not read beyond its end") {
  test::TempDir folder;
  CHECK_FALSE(read_elf_file(folder.path() / "nothing"));
  CHECK_FALSE(read_elf_file(folder.path()));
  std::ifstream stream(kProgram, std::ios::binary);
  const std::string whole{std::istreambuf_iterator<char>(stream), {}};
  for (const std::size_t size : {0, 3, 63, 64, 200, 1000, 5000}) {
    const fs::path part = folder.path() / "part";
    std::ofstream(part, std::ios::binary) << whole.substr(0, size);
    const auto file = read_elf_file(part);
    CHECK((!file || file->needed.empty()));
  }
  std::string damaged = whole;
  for (std::size_t at = 16; at < 4096; ++at) { damaged[at] = static_cast<char>(0xff); }
  std::ofstream(folder.path() / "damaged", std::ios::binary) << damaged;
  CHECK_FALSE(read_elf_file(folder.path() / "damaged"));
}

TEST_CASE("a library is missing when neither its folders, the program's own nor the system have it") {
  test::TempDir folder;
  const fs::path program = folder.path() / "mdl-toolkit-data";
  CHECK(names(missing_libraries(kProgram, {})).empty());
  fs::copy_file(kProgram, program);
  const auto missing = missing_libraries(program, {});
  REQUIRE(names(missing) == std::vector<std::string>{"libarrow.so.2600"});
  CHECK(missing.front().needed_by == "mdl-toolkit-data");
  CHECK(missing_libraries(program, {fs::path(MDL_BIN_DIR) / "site-packages/pyarrow"}).empty());
}

TEST_CASE("a library that a library needs is missed too") {
  test::TempDir folder;
  const fs::path program = folder.path() / "mdl-toolkit-data";
  fs::copy_file(kProgram, program);
  std::ifstream stream(MDL_BIN_DIR "/nccl_program", std::ios::binary);
  std::string other{std::istreambuf_iterator<char>(stream), {}};
  const std::string needed = "libnccl.so.2";
  other.replace(other.find(needed), needed.size(), "libnccl.so.9");
  std::ofstream(folder.path() / "libarrow.so.2600", std::ios::binary) << other;
  const auto missing = missing_libraries(program, {folder.path()});
  REQUIRE(names(missing) == std::vector<std::string>{"libnccl.so.9"});
  CHECK(missing.front().needed_by == "libarrow.so.2600");
}

TEST_CASE("a file with a library's name that is none is damaged") {
  test::TempDir folder;
  test::write_file(folder.path() / "libarrow.so.2600", "");
  const auto missing = missing_libraries(kProgram, {folder.path()});
  REQUIRE(missing.size() == 1);
  CHECK(missing.front().name == "libarrow.so.2600");
  CHECK(missing.front().damaged == folder.path() / "libarrow.so.2600");
}

TEST_CASE("the loader's cache has names with a zero byte or a folder before them") {
  const std::string cache = "glibc-ld.so.cache1.1\0libz.so.1\0/lib/libz.so.1\0/usr/lib/libcurl.so.4\0"s;
  CHECK(system_has("libz.so.1", cache, {}));
  CHECK(system_has("libcurl.so.4", cache, {}));
  CHECK_FALSE(system_has("libcurl.so", cache, {}));
  CHECK_FALSE(system_has("curl.so.4", cache, {}));
  test::TempDir folder;
  test::write_file(folder.path() / "libown.so", "");
  CHECK(system_has("libown.so", "", {"/nowhere", folder.path()}));
}
