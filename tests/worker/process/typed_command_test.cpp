#include "worker/process/typed_command.hpp"

#include <catch2/catch.hpp>

using namespace mdl::worker::process;

TEST_CASE("a stopped run goes on with its own command, in place of another resume") {
  CHECK(command_to_go_on({.own = {"mdl-toolkit", "train", "--output", "a b"}}) ==
        "mdl-toolkit train --output 'a b' --resume-from-checkpoint true");
  CHECK(command_to_go_on({.own = {"t", "train", "--resume_from_checkpoint", "x", "--lr", "1"}}) ==
        "t train --lr 1 --resume-from-checkpoint true");
  CHECK(command_to_go_on({.own = {"t", "train", "--resume-from-checkpoint=x", "--lr", "1"}}) ==
        "t train --lr 1 --resume-from-checkpoint true");
}

TEST_CASE("under a launcher it is the launcher's command, where that has this process's arguments") {
  const std::vector<std::string> own = {"/bin/mdl-toolkit", "train", "--output", "o"};
  CHECK(command_to_go_on({.own = own,
                          .launcher = {"mdl-launch", "--nproc-per-node", "2", "--no-python", "mdl-toolkit", "train",
                                       "--output", "o"},
                          .under_launcher = true}) ==
        "mdl-launch --nproc-per-node 2 --no-python mdl-toolkit train --output o --resume-from-checkpoint true");
  CHECK(command_to_go_on({.own = own, .launcher = {"sh", "run.sh"}, .under_launcher = true}) ==
        "/bin/mdl-toolkit train --output o --resume-from-checkpoint true");
}

TEST_CASE("the kernel tells how this process was started") {
  const StartedBy started = started_by();
  REQUIRE_FALSE(started.own.empty());
  CHECK(started.own.front().find("worker_tests") != std::string::npos);
}
