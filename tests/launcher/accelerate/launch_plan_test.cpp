#include "launcher/accelerate/launch_plan.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "common/error.hpp"

using namespace mdl;
using namespace mdl::launcher::machine;
using namespace mdl::launcher::accelerate;
using Catch::Contains;
using Words = std::vector<std::string>;

namespace {

MachineFacts machine(int gpus, Environment environment = {}, bool port_taken = false) {
  return {std::move(environment), [gpus] { return gpus; }, [] { return 16; },
          [port_taken](int) { return port_taken ? std::optional<std::string>("nginx (process 77)") : std::nullopt; },
          [] { return 40001; }};
}

const std::string kTwoNodes =
    "distributed_type: MULTI_GPU\nmachine_rank: 0\nmain_process_ip: 10.0.0.1\nmain_process_port: "
    "29500\nmixed_precision: 'no'\n"
    "num_machines: 2\nnum_processes: 8\nrdzv_backend: static\nsame_network: true\n";

LaunchPlan plan_of(const std::string& yaml, Words words, const MachineFacts& facts = machine(4)) {
  words.push_back("prog");
  auto config = parse_config(yaml, "conf.yaml");
  return resolve_plan(parse_launch_options(words), &config, facts);
}

LaunchPlan plan_without_file(Words words, const MachineFacts& facts) {
  words.push_back("prog");
  return resolve_plan(parse_launch_options(words), nullptr, facts);
}

bool contains(const Words& words, const Words& part) {
  return std::search(words.begin(), words.end(), part.begin(), part.end()) != words.end();
}

}  // namespace

TEST_CASE("num_processes is the total over all machines") {
  auto plan = plan_of(kTwoNodes, {"--machine-rank", "1"});
  CHECK(plan.kind == LaunchPlan::Kind::multi);
  CHECK(plan.nproc_per_node == 4);
  CHECK(plan.machine_rank == 1);
  CHECK(plan.rdzv_endpoint == "10.0.0.1:29500");
  CHECK(plan.warnings.empty());
  CHECK(plan.problems.empty());
  auto arguments = plan.launcher_arguments();
  CHECK(contains(arguments, {"--nproc-per-node", "4"}));
  CHECK(contains(arguments, {"--nnodes", "2"}));
  CHECK(contains(arguments, {"--node-rank", "1"}));
  CHECK(contains(arguments, {"--rdzv-endpoint", "10.0.0.1:29500"}));
  CHECK(arguments.back() == "prog");
}

TEST_CASE("a program's own -- reaches it through the launcher, which would take the first for its own") {
  LaunchPlan plan;
  plan.options.program = {"prog", "--", "x"};
  CHECK(contains(plan.launcher_arguments(), {"--", "prog", "--", "x"}));
  plan.options.program = {"-odd-name"};
  CHECK(contains(plan.launcher_arguments(), {"--", "-odd-name"}));
  plan.options.role = "-x";  // of --role=-x
  CHECK(contains(plan.launcher_arguments(), {"--role=-x"}));
  plan.options.program = {"prog", "x"};
  CHECK_FALSE(contains(plan.launcher_arguments(), {"--"}));
}

TEST_CASE("GPUs that num_processes leaves idle are warned of") {
  auto plan = plan_of(kTwoNodes, {}, machine(8));
  REQUIRE(plan.warnings.size() == 1);
  CHECK_THAT(plan.warnings[0], Contains("4 stay idle") && Contains("num_processes: 16"));
  CHECK(plan_of(kTwoNodes, {}, machine(2)).warnings.size() == 1);  // too few
  CHECK(plan_of(kTwoNodes, {"--gpu-ids", "0,1,2,3"}, machine(8)).warnings.empty());
}

TEST_CASE("without a GPU a MULTI_GPU file is a problem with its line, unless use_cpu is true") {
  auto plan = plan_of(kTwoNodes, {}, machine(0));
  REQUIRE(plan.problems.size() == 1);
  CHECK_THAT(plan.problems[0].what(), Contains("conf.yaml:1") && Contains("no NVIDIA GPU"));
  CHECK(plan_of(kTwoNodes + "use_cpu: true\n", {}, machine(0)).problems.empty());
}

TEST_CASE("the command line comes before the file") {
  auto plan = plan_of(kTwoNodes, {"--num-processes", "4", "--main-process-ip", "h", "--main-process-port", "1234",
                                  "--mixed-precision", "bf16"});
  CHECK(plan.nproc_per_node == 2);
  CHECK(plan.rdzv_endpoint == "h:1234");
  CHECK(plan.environment.at("ACCELERATE_MIXED_PRECISION") == "bf16");
}

TEST_CASE("same-network is spelt as master address, on the command line only") {
  auto plan = plan_of(kTwoNodes, {"--same-network"});
  CHECK(plan.master_addr == "10.0.0.1");
  CHECK(plan.master_port == 29500);
  CHECK_FALSE(plan.rdzv_endpoint);
}

TEST_CASE("the file's rdzv_backend has no effect, as in accelerate, and a warning says so") {
  std::string yaml = kTwoNodes + "enable_cpu_affinity: true\n";
  yaml.replace(yaml.find("static"), 6, "c10d");
  auto plan = plan_of(yaml, {});
  CHECK(plan.rdzv_backend == "static");
  REQUIRE(plan.warnings.size() == 2);
  CHECK_THAT(plan.warnings[0], Contains("--rdzv-backend c10d"));
  CHECK_THAT(plan.warnings[1], Contains("--enable-cpu-affinity"));
  CHECK(plan_of(yaml, {"--rdzv-backend", "c10d", "--enable-cpu-affinity"}).rdzv_backend == "c10d");
}

TEST_CASE("the machine's rank is found by itself when asked for") {
  CHECK(plan_of(kTwoNodes, {"--machine-rank", "auto"}, machine(4, {{"SLURM_NODEID", "1"}})).machine_rank == 1);
  std::string yaml = kTwoNodes;
  yaml.replace(yaml.find("machine_rank: 0"), 15, "machine_rank: auto");
  CHECK(plan_of(yaml, {}, machine(4, {{"JOB_COMPLETION_INDEX", "1"}})).machine_rank == 1);
  CHECK_FALSE(plan_of(yaml, {"--rdzv-backend", "c10d"}).machine_rank);
  CHECK_THROWS_WITH(plan_of(yaml, {}), Contains("SLURM_NODEID") && Contains("JOB_COMPLETION_INDEX"));
  CHECK_THROWS_WITH(plan_of(yaml, {}, machine(4, {{"SLURM_NODEID", "2"}})),
                    Contains("SLURM_NODEID=2 is too high for 2 machines"));
}

TEST_CASE("what two machines need to find each other is asked for") {
  CHECK_THROWS_WITH(plan_of("distributed_type: MULTI_GPU\nnum_machines: 2\nnum_processes: 4\n", {}),
                    Contains("main_process_ip is missing"));
  CHECK_THROWS_WITH(plan_without_file({"--multi-gpu", "--num-machines", "2", "--num-processes", "4"}, machine(2)),
                    Contains("--machine-rank"));
  CHECK_THROWS_WITH(plan_of(kTwoNodes, {"--main-process-port", "0"}), Contains("port 0"));
  CHECK_THROWS_WITH(plan_of(kTwoNodes, {"--num-processes", "1"}), Contains("less than the 2 machines"));
  CHECK_THAT(plan_of(kTwoNodes, {"--num-processes", "9"}).warnings.at(0), Contains("8 in all"));
}

TEST_CASE("a port in use gives one machine a free one, and stops the first of several") {
  std::string one = "distributed_type: MULTI_GPU\nnum_processes: 4\n";
  CHECK(plan_of(one, {}, machine(4, {}, true)).standalone);
  CHECK(plan_of(one, {"--main-process-port", "0"}).master_port == 40001);
  auto problems = plan_of(kTwoNodes, {}, machine(4, {}, true)).problems;
  REQUIRE(problems.size() == 1);
  CHECK_THAT(problems[0].what(), Catch::Contains("port 29500 of this machine is in use by nginx (process 77)"));
  CHECK(plan_of(kTwoNodes, {"--machine-rank", "1"}, machine(4, {}, true)).problems.empty());
  // With c10d the first to come hosts the store, and here it may be the second machine's launcher.
  CHECK(plan_of(kTwoNodes, {"--rdzv-backend", "c10d"}, machine(4, {}, true)).problems.empty());
}

TEST_CASE("one process needs no rendezvous and gets none") {
  auto plan = plan_of("distributed_type: 'NO'\nuse_cpu: true\n", {"--no-python"});
  CHECK(plan.kind == LaunchPlan::Kind::simple);
  CHECK(plan.simple_command("python3") == Words{"prog"});
  CHECK(plan.environment.at("ACCELERATE_USE_CPU") == "True");
  CHECK(plan.environment.contains("KMP_AFFINITY"));
  CHECK_FALSE(plan.environment.contains("MASTER_ADDR"));
  CHECK(plan_of("distributed_type: 'NO'\n", {"-m"}).simple_command("py") == Words{"py", "-m", "prog"});
}

TEST_CASE("multi-CPU without mpirun is one process, as in accelerate, and a warning says so") {
  auto plan = plan_of("distributed_type: MULTI_CPU\nnum_processes: 4\nuse_cpu: true\n", {});
  CHECK(plan.kind == LaunchPlan::Kind::simple);
  CHECK(plan.environment.at("MASTER_ADDR") == "127.0.0.1");
  CHECK_THAT(plan.warnings.at(0), Contains("one process on each machine"));
}

TEST_CASE("threads of a process come from the command line, OMP_NUM_THREADS, or the share of a CPU's cores") {
  std::string cpus = "distributed_type: MULTI_GPU\nnum_processes: 4\nuse_cpu: true\n";
  CHECK(plan_of(cpus, {}).environment.at("OMP_NUM_THREADS") == "4");  // of 16 cores
  CHECK(plan_of(cpus, {}, machine(0, {{"OMP_NUM_THREADS", "3"}})).environment.at("OMP_NUM_THREADS") == "3");
  CHECK(plan_of(cpus, {}, machine(0, {{"MPI_LOCALNRANKS", "2"}})).environment.at("OMP_NUM_THREADS") == "8");
  CHECK(plan_of(cpus, {"--num-cpu-threads-per-process", "7"}).environment.at("OMP_NUM_THREADS") == "7");
  CHECK(plan_of("distributed_type: MULTI_GPU\nnum_processes: 4\n", {}).environment.at("OMP_NUM_THREADS") == "1");
  CHECK_THROWS_WITH(plan_of(cpus, {}, machine(0, {{"OMP_NUM_THREADS", "x"}})), Contains("OMP_NUM_THREADS"));
}

TEST_CASE("without a file all GPUs are used, and --cpu means one process") {
  auto plan = plan_without_file({}, machine(4));
  CHECK(plan.kind == LaunchPlan::Kind::multi);
  CHECK(plan.nproc_per_node == 4);
  CHECK(plan_without_file({}, machine(1)).kind == LaunchPlan::Kind::simple);
  CHECK(plan_without_file({"--cpu"}, machine(4)).kind == LaunchPlan::Kind::simple);
  CHECK_THROWS_AS(plan_without_file({"--cpu", "--multi-gpu"}, machine(4)), mdl::UsageError);
  CHECK_THROWS_AS(plan_without_file({"--multi-gpu", "--num-processes", "1"}, machine(4)), mdl::UsageError);
}

TEST_CASE("chosen GPUs, debugging, affinity and dynamo reach the environment") {
  auto plan = plan_of(kTwoNodes + "gpu_ids: '2,3'\ndebug: true\ndynamo_config:\n  dynamo_backend: INDUCTOR\n",
                      {"--enable-cpu-affinity", "--dynamo-use-dynamic"});
  CHECK(plan.environment.at("CUDA_VISIBLE_DEVICES") == "2,3");
  CHECK(plan.environment.at("ACCELERATE_DEBUG_MODE") == "true");
  CHECK(plan.environment.at("ACCELERATE_CPU_AFFINITY") == "1");
  CHECK(plan.environment.at("ACCELERATE_DYNAMO_BACKEND") == "INDUCTOR");
  CHECK(plan.environment.at("ACCELERATE_DYNAMO_USE_DYNAMIC") == "True");
  CHECK_THROWS_WITH(plan_of("distributed_type: MULTI_GPU\nnum_processes: 2\ngpu_ids: '3'\n", {}), Contains("gpu_ids"));
}
