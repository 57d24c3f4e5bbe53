#include "launcher/command_line/dialect.hpp"

#include <catch2/catch.hpp>

#include "common/error.hpp"

using namespace mdl::launcher::command_line;
using Catch::Contains;
using Words = std::vector<std::string>;

TEST_CASE("the name by which mdl-launch was started decides whose command line it reads") {
  CHECK(dialect_of("torchrun") == Dialect::torchrun);
  CHECK(dialect_of("/opt/venv/bin/torchrun") == Dialect::torchrun);
  CHECK(dialect_of("./accelerate") == Dialect::accelerate);
  for (const char* other : {"mdl-launch", "/usr/bin/mdl-launch", "", "/torchrun/mdl", "torchrun2", "torchrun/"}) {
    CHECK(dialect_of(other) == Dialect::own);
  }
}

TEST_CASE("accelerate's first word is a command, and what it may be instead is said") {
  CHECK(from_accelerate({"launch", "--cpu", "test"}) == Words{"launch", "--cpu", "test"});
  CHECK(from_accelerate({"config", "default"}) == Words{"config", "default"});
  CHECK(from_accelerate({"--help"}) == Words{"--help"});
  CHECK_THROWS_WITH(from_accelerate({}), Contains("launch, config, env"));
  CHECK_THROWS_WITH(from_accelerate({"lanch"}), Contains("lanch") && Contains("Did you mean launch"));
  CHECK_THROWS_WITH(from_accelerate({"train.py"}), Contains("no command \"train.py\""));
  CHECK_THROWS_WITH(from_accelerate({"merge-weights", "x"}), Contains("needs Python's accelerate"));
  CHECK_THROWS_AS(from_accelerate({"--cpu", "train.py"}), mdl::UsageError);
}
