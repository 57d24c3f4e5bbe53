#include "launcher/process/worker_env.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace mdl;
using namespace mdl::launcher::process;
using Words = std::vector<std::string>;

namespace {

Words environment_of(const Words& inherited, int local_world_size = 2) {
  GroupIdentity group;
  group.run_id = "job";
  group.role = "trainer";
  group.signals_to_handle = "SIGTERM,SIGINT";
  group.group_rank = 1;
  group.group_world_size = 3;
  group.local_world_size = local_world_size;
  group.world_size = group.role_world_size = 6;
  group.master_addr = "node0";
  group.master_port = 29500;
  group.restart_count = 2;
  group.max_restarts = 4;
  return worker_environment(inherited, group, {1, 3, 5}, {"/tmp/error.json"});
}

}  // namespace

TEST_CASE("a worker learns who it is and where the others are") {
  const Words environment = environment_of({"HOME=/root"});
  for (const char* entry :
       {"HOME=/root", "LOCAL_RANK=1", "RANK=3", "ROLE_RANK=5", "GROUP_RANK=1", "GROUP_WORLD_SIZE=3",
        "LOCAL_WORLD_SIZE=2", "WORLD_SIZE=6", "ROLE_WORLD_SIZE=6", "ROLE_NAME=trainer", "MASTER_ADDR=node0",
        "MASTER_PORT=29500", "TORCHELASTIC_RUN_ID=job", "TORCHELASTIC_RESTART_COUNT=2", "TORCHELASTIC_MAX_RESTARTS=4",
        "TORCHELASTIC_USE_AGENT_STORE=True", "TORCHELASTIC_ERROR_FILE=/tmp/error.json",
        "TORCHELASTIC_SIGNALS_TO_HANDLE=SIGTERM,SIGINT", "TORCH_NCCL_ASYNC_ERROR_HANDLING=1"}) {
    CHECK(std::count(environment.begin(), environment.end(), entry) == 1);
  }
}

TEST_CASE("what the launcher inherited is replaced, not repeated") {
  const Words environment = environment_of({"RANK=99", "RANKING=kept", "MASTER_ADDR=old"});
  CHECK(find_variable(environment, "RANK") == "3");
  CHECK(find_variable(environment, "RANKING") == "kept");
  CHECK(std::count_if(environment.begin(), environment.end(),
                      [](const std::string& entry) { return entry.rfind("RANK=", 0) == 0; }) == 1);
}

TEST_CASE("a worker learns where the watchdog's FIFO is, and else keeps what the launcher had") {
  GroupIdentity group;
  const Words inherited = {"TORCHELASTIC_TIMER_FILE=/old"};
  CHECK(find_variable(worker_environment(inherited, group, {}, {}), "TORCHELASTIC_TIMER_FILE") == "/old");
  group.timer_file = "/run/fifo";
  CHECK(find_variable(worker_environment(inherited, group, {}, {}), "TORCHELASTIC_TIMER_FILE") == "/run/fifo");
}

TEST_CASE("a worker learns where it may say how it gets on, and never where an outer launcher listens") {
  const Words inherited = {"MDL_PROGRESS=/outer"};
  CHECK_FALSE(find_variable(worker_environment(inherited, {}, {}, {}), "MDL_PROGRESS"));
  const WorkerFiles files{"", "/run/progress_0"};
  CHECK(find_variable(worker_environment(inherited, {}, {}, files), "MDL_PROGRESS") == "/run/progress_0");
}

TEST_CASE("a worker learns where its server may listen, unless the user has said where") {
  constexpr const char* kName = "TORCH_WORKER_SERVER_SOCKET";
  const auto of = [&](const Words& inherited, const std::string& own) {
    return find_variable(worker_environment(inherited, {}, {}, {"", "", own}), kName);
  };
  CHECK(of({}, "/run/server_0") == "/run/server_0");
  CHECK_FALSE(of({}, ""));
  CHECK(of({"TORCH_WORKER_SERVER_SOCKET=/mine"}, "/run/server_0") == "/mine");
  CHECK(of({"TORCH_WORKER_SERVER_SOCKET=/mine", "MDL_PROGRESS=/outer/progress_0"}, "/run/server_0") == "/mine");
  CHECK_FALSE(of({"TORCH_WORKER_SERVER_SOCKET="}, "/run/server_0"));
}

TEST_CASE("a worker does not share the server's path of the worker that has started its launcher") {
  const Words inherited = {"TORCH_WORKER_SERVER_SOCKET=/outer/server_0", "MDL_PROGRESS=/outer/progress_0"};
  const auto of = [&](const std::string& own) {
    return find_variable(worker_environment(inherited, {}, {}, {"", "", own}), "TORCH_WORKER_SERVER_SOCKET");
  };
  CHECK(of("/inner/server_1") == "/inner/server_1");
  CHECK_FALSE(of(""));
}

TEST_CASE("the ports that a launcher was given by variables are not passed on") {
  const Words inherited = {"PET_METRICS_PORT=9400", "PET_DASHBOARD=8080", "PET_MAX_RESTARTS=1"};
  const Words environment = worker_environment(inherited, {}, {}, {});
  CHECK_FALSE(find_variable(environment, "PET_METRICS_PORT"));
  CHECK_FALSE(find_variable(environment, "PET_DASHBOARD"));
  CHECK(find_variable(environment, "PET_MAX_RESTARTS") == "1");
}

TEST_CASE("OMP_NUM_THREADS becomes 1 only for several workers and only when it is not set") {
  CHECK(find_variable(environment_of({}), "OMP_NUM_THREADS") == "1");
  CHECK(find_variable(environment_of({"OMP_NUM_THREADS=7"}), "OMP_NUM_THREADS") == "7");
  CHECK_FALSE(find_variable(environment_of({}, 1), "OMP_NUM_THREADS"));
  CHECK(find_variable(environment_of({"TORCH_NCCL_ASYNC_ERROR_HANDLING=3"}), "TORCH_NCCL_ASYNC_ERROR_HANDLING") == "3");
}

TEST_CASE("with a virtual local rank every worker has rank 0 and a device of its own") {
  GroupIdentity group;
  group.local_world_size = 2;
  group.virtual_local_rank = true;
  const auto of = [&](const Words& inherited) { return worker_environment(inherited, group, {1, 1, 1}, {}); };
  CHECK(find_variable(of({}), "LOCAL_RANK") == "0");
  CHECK(find_variable(of({}), "CUDA_VISIBLE_DEVICES") == "1");
  CHECK(find_variable(of({"CUDA_VISIBLE_DEVICES=4, 6,7"}), "CUDA_VISIBLE_DEVICES") == "6");
  const Words amd = of({"HIP_VISIBLE_DEVICES=2,3", "CUDA_VISIBLE_DEVICES=9"});
  CHECK(find_variable(amd, "HIP_VISIBLE_DEVICES") == "3");
  CHECK(find_variable(amd, "CUDA_VISIBLE_DEVICES") == "3");
  CHECK_THROWS_WITH(of({"CUDA_VISIBLE_DEVICES=5"}),
                    Catch::Contains("local rank 1") && Catch::Contains("CUDA_VISIBLE_DEVICES=5"));
}
