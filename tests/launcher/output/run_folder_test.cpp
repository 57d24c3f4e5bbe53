#include "launcher/output/run_folder.hpp"

#include <catch2/catch.hpp>
#include <string>

#include "tests/temp_dir.hpp"

using namespace mdl;
using namespace mdl::launcher::output;

TEST_CASE("a job's name of any length has a folder, which ends in no half of a letter") {
  const test::TempDir base;
  const auto name = [&](const std::string& run_id) {
    const RunFolder folder(base.path().string(), run_id);
    const std::string text = folder.path().filename().string();
    return text.substr(0, text.size() - std::string("_XXXXXX").size());
  };
  CHECK(name("a/b") == "a_b");
  CHECK(name(std::string(200, 'x')) == std::string(200, 'x'));
  CHECK(name(std::string(10'000, 'x')) == std::string(200, 'x'));
  CHECK(name(std::string(199, 'x') + "\u4e00") == std::string(199, 'x'));
}
