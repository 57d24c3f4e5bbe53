#include "worker/process/error_file.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/temp_dir.hpp"

TEST_CASE("the first error of a process is the one that its launcher reads") {
  const mdl::test::TempDir folder;
  const auto file = folder.path() / "error.json";
  ::setenv("TORCHELASTIC_ERROR_FILE", file.c_str(), 1);
  mdl::worker::process::write_error_file("out of memory");
  mdl::worker::process::write_error_file("another rank is gone");
  ::unsetenv("TORCHELASTIC_ERROR_FILE");
  std::ifstream stream(file);
  CHECK(nlohmann::json::parse(stream).at("message").at("message") == "out of memory");
}
