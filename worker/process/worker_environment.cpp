#include "worker/process/worker_environment.hpp"

#include <cstdlib>

#include "common/error.hpp"
#include "common/parse_number.hpp"
#include "common/str_cat.hpp"

namespace mdl::worker::process {
namespace {

constexpr const char* kAdvice =
    "Start the workers with mdl-launch, torchrun or accelerate, or unset RANK and WORLD_SIZE to train in one process.";

/// A number of the environment in [least, most], as torch reads it.
int read_number(const char* name, const std::string& text, int least, int most) {
  const auto number = parse_whole_number(text);
  if (!number || *number < least || *number > most) {
    throw UsageError(
        str_cat("environment variable ", name, "=", text, ": expected a number from ", least, " to ", most), kAdvice);
  }
  return static_cast<int>(*number);
}

}  // namespace

std::optional<std::string> lookup_environment(const char* name) {
  const char* value = std::getenv(name);
  if (!value || !*value) { return std::nullopt; }
  return value;
}

bool lookup_switch(const char* name, const char* meaning, const Lookup& lookup) {
  const std::string value = lookup(name).value_or("0");
  if (value != "0" && value != "1") {
    throw UsageError(str_cat("environment variable ", name, "=", value, ": expected 0 or 1"), meaning);
  }
  return value == "1";
}

std::optional<WorkerEnvironment> read_worker_environment(const Lookup& lookup) {
  if (!lookup("RANK") && !lookup("WORLD_SIZE")) { return std::nullopt; }
  const auto require = [&](const char* name) {
    const auto value = lookup(name);
    if (!value) {
      throw UsageError(
          str_cat("environment variable ", name, " is not set, though ", lookup("RANK") ? "RANK" : "WORLD_SIZE", " is"),
          kAdvice);
    }
    return *value;
  };
  constexpr int kMostRanks = 1 << 20;

  WorkerEnvironment environment;
  environment.world_size = read_number("WORLD_SIZE", require("WORLD_SIZE"), 1, kMostRanks);
  environment.rank = read_number("RANK", require("RANK"), 0, environment.world_size - 1);
  environment.local_rank = read_number("LOCAL_RANK", require("LOCAL_RANK"), 0, environment.world_size - 1);
  environment.local_world_size = environment.world_size;
  if (const auto text = lookup("LOCAL_WORLD_SIZE")) {
    environment.local_world_size =
        read_number("LOCAL_WORLD_SIZE", *text, environment.local_rank + 1, environment.world_size);
  }
  environment.master_addr = require("MASTER_ADDR");
  environment.master_port = static_cast<uint16_t>(read_number("MASTER_PORT", require("MASTER_PORT"), 1, 65535));
  environment.launcher_has_store = lookup("TORCHELASTIC_USE_AGENT_STORE") == "True";
  // One launcher's store lives through its restarts. Launchers of several nodes count restarts each for itself (only
  // the one whose worker failed counts), so that the number is no name which all of their workers know.
  if (environment.launcher_has_store && !environment.several_hosts()) {
    const int restart = read_number("TORCHELASTIC_RESTART_COUNT", require("TORCHELASTIC_RESTART_COUNT"), 0, kMostRanks);
    environment.store_prefix = str_cat("/worker/attempt_", restart);
  }
  return environment;
}

}  // namespace mdl::worker::process
