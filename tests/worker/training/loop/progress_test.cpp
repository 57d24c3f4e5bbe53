#include <catch2/catch.hpp>

#include "worker/training/checkpoint/run_state.hpp"
#include "worker/training/loop/progress.hpp"

using namespace mdl;
using namespace mdl::worker::reports;
using namespace mdl::worker::training::checkpoint;
using namespace mdl::worker::training::loop;

TEST_CASE("a piped line has the Trainer's form") {
  CHECK(format_metrics({{"loss", 7.711982250213623},
                        {"grad_norm", 1.0846879482269287},
                        {"learning_rate", 8.888888888888889e-05},
                        {"epoch", 1.0}}) ==
        "{'loss': '7.712', 'grad_norm': '1.085', 'learning_rate': '8.889e-05', 'epoch': '1'}");
}

TEST_CASE("the state keeps logged numbers in full precision") {
  RunState state;
  state.step = 3;
  state.log({{"loss", 7.711982250213623}});
  const auto json = nlohmann::json::parse(state.to_json());
  CHECK(json["log_history"][0]["loss"] == 7.711982250213623);
  CHECK(json["log_history"][0]["step"] == 3);
  CHECK(json["global_step"] == 3);
}
