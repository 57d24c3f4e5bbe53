#include <catch2/catch.hpp>

#include <map>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/process/worker_environment.hpp"

using namespace mdl;
using namespace mdl::worker::process;
using Catch::Contains;

namespace {

using Variables = std::map<std::string, std::string>;

std::optional<WorkerEnvironment> read(const Variables& variables) {
  return read_worker_environment([&](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  });
}

const Variables kTorchrun = {{"RANK", "3"},
                             {"WORLD_SIZE", "8"},
                             {"LOCAL_RANK", "1"},
                             {"LOCAL_WORLD_SIZE", "2"},
                             {"MASTER_ADDR", "node0"},
                             {"MASTER_PORT", "29400"},
                             {"TORCHELASTIC_USE_AGENT_STORE", "True"},
                             {"TORCHELASTIC_RESTART_COUNT", "2"}};

}  // namespace

TEST_CASE("a program started by hand is alone") {
  CHECK_FALSE(read({}).has_value());
}

TEST_CASE("torchrun's variables are understood") {
  const auto environment = read(kTorchrun);
  REQUIRE(environment.has_value());
  CHECK(environment->rank == 3);
  CHECK(environment->world_size == 8);
  CHECK(environment->local_rank == 1);
  CHECK(environment->master_addr == "node0");
  CHECK(environment->master_port == 29400);
  CHECK(environment->several_hosts());
  CHECK(environment->launcher_has_store);
}

TEST_CASE("numbers of the environment are read as Python reads them") {
  Variables variables = kTorchrun;
  variables["RANK"] = " +3\n";
  variables["MASTER_PORT"] = "29_400";
  CHECK(read(variables)->rank == 3);
  CHECK(read(variables)->master_port == 29400);
  variables["RANK"] = "3.0";
  CHECK_THROWS_WITH(read(variables), Contains("RANK=3.0"));
}

TEST_CASE("workers of one launcher keep restarts apart, those of several do not go by a number that may differ") {
  Variables variables = kTorchrun;
  CHECK(read(variables)->store_prefix.empty());
  variables["LOCAL_WORLD_SIZE"] = "8";
  CHECK(read(variables)->store_prefix == "/worker/attempt_2");
  variables.erase("TORCHELASTIC_RESTART_COUNT");
  CHECK_THROWS_WITH(read(variables), Contains("TORCHELASTIC_RESTART_COUNT") && Contains("not set"));
}

TEST_CASE("without the agent's store rank 0 serves it") {
  Variables variables = kTorchrun;
  variables["TORCHELASTIC_USE_AGENT_STORE"] = "False";
  CHECK_FALSE(read(variables)->launcher_has_store);
  CHECK(read(variables)->store_prefix.empty());
}

TEST_CASE("a missing variable is named") {
  for (const char* name : {"RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"}) {
    Variables variables = kTorchrun;
    variables.erase(name);
    CHECK_THROWS_WITH(read(variables), Contains(name) && Contains("not set"));
    CHECK_THROWS_AS(read(variables), UsageError);
  }
}

TEST_CASE("a variable that makes no sense is named with its value") {
  for (const auto& [name, value] : Variables{{"RANK", "8"},
                                             {"WORLD_SIZE", "0"},
                                             {"LOCAL_RANK", "one"},
                                             {"LOCAL_WORLD_SIZE", "1"},
                                             {"MASTER_PORT", "70000"}}) {
    Variables variables = kTorchrun;
    variables[name] = value;
    CHECK_THROWS_WITH(read(variables), Contains(mdl::str_cat(name, "=", value)));
  }
}
