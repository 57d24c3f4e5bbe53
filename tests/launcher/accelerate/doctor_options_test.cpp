#include "launcher/accelerate/doctor_options.hpp"

#include <catch2/catch.hpp>
#include <fstream>

#include "common/error.hpp"
#include "tests/temp_dir.hpp"

using namespace mdl;
using namespace mdl::launcher::machine;
using namespace mdl::launcher::accelerate;
using namespace mdl::launcher::doctor;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

MachineFacts machine(Environment environment = {}, int gpus = 0) {
  MachineFacts facts;
  facts.environment = std::move(environment);
  facts.gpu_count = [gpus] { return gpus; };
  facts.physical_cores = [] { return 4; };
  facts.port_holder = [](int) { return std::nullopt; };
  facts.free_port = [] { return 12345; };
  return facts;
}

JobSpec job_of(const std::vector<std::string>& words, const MachineFacts& facts) {
  return job_spec_of(parse_doctor_options(words), facts);
}

}  // namespace

TEST_CASE("the doctor's own options are taken out, wherever they stand before the program") {
  auto options = parse_doctor_options({"--nnodes", "2", "--json", "--wait=5", "--rdzv-id=--json", "prog", "--json"});
  CHECK(options.json);
  CHECK(options.wait == 5s);
  CHECK_FALSE(options.deep);
  CHECK(parse_doctor_options({"--deep", "--nnodes", "2"}).deep);
  CHECK(options.job == std::vector<std::string>{"--nnodes", "2", "--rdzv-id=--json", "prog", "--json"});
  CHECK_FALSE(options.is_accelerates);
  CHECK(parse_doctor_options({"--num_processes", "2", "--json"}).is_accelerates);
  CHECK_THROWS_AS(parse_doctor_options({"--wait"}), mdl::UsageError);
  CHECK_THROWS_WITH(parse_doctor_options({"--rdzv-id", "--json", "prog"}), Contains("--rdzv-id needs a value"));
  CHECK_THROWS_AS(parse_doctor_options({"--wait", "long"}), mdl::UsageError);
}

TEST_CASE("a job in torchrun's words, with PET_ variables below them") {
  auto job = job_of({"--nnodes=2:4", "--nproc-per-node", "gpu", "--rdzv_backend", "c10d", "--rdzv-endpoint", "node7",
                     "--no-python", "prog", "-x"},
                    machine({}, 8));
  CHECK(job.nodes == 2);
  CHECK(job.processes_here == 8);
  CHECK(job.wants_gpus);
  CHECK(job.node_rank == -1);
  CHECK(job.host == "node7");
  CHECK(job.port == 29400);
  CHECK(job.no_python);
  CHECK(job.program == std::vector<std::string>{"prog", "-x"});

  auto kubeflow = job_of({"prog"}, machine({{"PET_NNODES", "3"},
                                            {"PET_NPROC_PER_NODE", "2"},
                                            {"PET_NODE_RANK", "1"},
                                            {"PET_MASTER_ADDR", "job-0"},
                                            {"PET_MASTER_PORT", "23456"}}));
  CHECK(kubeflow.nodes == 3);
  CHECK(kubeflow.processes_here == 2);
  CHECK(kubeflow.node_rank == 1);
  CHECK(kubeflow.host == "job-0");
  CHECK(kubeflow.port == 23456);

  for (const std::vector<std::string>& alone : {std::vector<std::string>{"prog"},
                                                {"--standalone", "--master-addr", "node7", "prog"},
                                                {"--master-addr", "node7", "prog"},
                                                {"--rdzv-backend", "c10d", "--master-port", "1234", "prog"}}) {
    CHECK(job_of(alone, machine()).host.empty());
  }
  const auto one = job_of({"--master-addr", "node7", "--master-port", "1234", "prog"}, machine());
  CHECK((one.nodes == 1 && one.host == "node7" && one.port == 1234));
  CHECK_THROWS_WITH(job_of({"--nnodes", "2", "--rdzv-backend", "c10d", "p"}, machine()), Contains("--rdzv-endpoint"));
  CHECK_THROWS_WITH(job_of({"--nodes", "2", "p"}, machine()), Contains("--nodes"));
  CHECK(job_of({"--nnod", "2", "--master-a", "[::1]", "--no-p"}, machine()).host == "::1");  // torchrun's abbreviations
  CHECK_THROWS_WITH(job_of({"--nnodes", "0"}, machine()), Contains("--nnodes"));             // as a launch says
}

TEST_CASE("a job in accelerate's words") {
  mdl::test::TempDir folder;
  std::string file = (folder.path() / "conf.yaml").string();
  std::ofstream(file) << "distributed_type: MULTI_GPU\nnum_machines: 2\nnum_processes: 8\nmain_process_ip: "
                         "10.0.0.1\nmain_process_port: 1234\nmachine_rank: 1\n";
  auto job = job_of({"--config-file", file, "--no-python", "prog"}, machine({}, 8));
  CHECK(job.nodes == 2);
  CHECK(job.processes_here == 4);
  CHECK(job.node_rank == 1);
  CHECK(job.host == "10.0.0.1");
  CHECK(job.port == 1234);
  CHECK(job.wants_gpus);
  CHECK(job.omp_threads == "1");
  CHECK_THROWS_AS(job_of({"--use_deepspeed", "prog"}, machine()), mdl::UsageError);
}
