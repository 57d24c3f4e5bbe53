#include "launcher/accelerate/cluster_config.hpp"

#include <catch2/catch.hpp>
#include <fstream>

#include "common/error.hpp"
#include "tests/plain_user.hpp"
#include "tests/temp_dir.hpp"

using namespace mdl;
using namespace mdl::launcher::accelerate;
using Catch::Contains;

namespace {

const std::string kGpus = "distributed_type: MULTI_GPU\nnum_processes: 8\n";

std::string refusal_of(const std::string& text) {
  try {
    parse_config(text, "conf.yaml");
  } catch (const mdl::UsageError& error) {
    CHECK(error.exit_code() == mdl::kExitUsage);
    return error.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("a file of accelerate's two-node kind is read with its types and lines") {
  auto config = parse_config(
      "compute_environment: LOCAL_MACHINE\ndistributed_type: MULTI_GPU\ndowncast_bf16: 'no'\ngpu_ids: "
      "0,1\nmachine_rank: 1\n"
      "main_process_ip: 10.0.0.1\nmain_process_port: 29500\nmixed_precision: 'bf16'\nnum_machines: 2\nnum_processes: "
      "8\n"
      "rdzv_backend: c10d\nsame_network: true\ntpu_env: []\nuse_cpu: true\ndebug: true\n",
      "conf.yaml");
  CHECK(config.distributed_type == DistributedType::multi_gpu);
  CHECK(config.gpu_ids == "0,1");
  CHECK(config.machine_rank == 1);
  CHECK(config.main_process_ip == "10.0.0.1");
  CHECK(config.main_process_port == 29500);
  CHECK(config.mixed_precision == "bf16");
  CHECK(config.num_machines == 2);
  CHECK(config.num_processes == 8);
  CHECK(config.rdzv_backend == "c10d");
  CHECK(config.same_network);
  CHECK(config.use_cpu);
  CHECK(config.debug);
  CHECK(config.place_of("num_processes") == "conf.yaml:10");
  CHECK(config.place_of("absent") == "conf.yaml");
  CHECK(config.warnings.empty());
}

TEST_CASE("absent keys have accelerate's defaults") {
  auto config = parse_config("distributed_type: MULTI_GPU\n", "conf.yaml");
  CHECK_FALSE(config.num_processes);
  CHECK(config.num_machines == 1);
  CHECK(config.machine_rank == 0);
  CHECK(config.rdzv_backend == "static");
  CHECK_FALSE(config.mixed_precision);
  CHECK(parse_config("distributed_type: 'NO'\n", "conf.yaml").num_processes == 1);
  CHECK_FALSE(parse_config("distributed_type: 'NO'\nnum_processes: -1\nmachine_rank: 0\n", "c").num_processes == -1);
}

TEST_CASE("every misspelt key is named with its line and the nearest known key") {
  std::string text = refusal_of(kGpus + "num_machins: 2\nmain_proces_ip: 10.0.0.1\nzzz: 1\n");
  CHECK_THAT(text, Contains("conf.yaml:3: unknown key num_machins (did you mean num_machines?)"));
  CHECK_THAT(text, Contains("conf.yaml:4: unknown key main_proces_ip (did you mean main_process_ip?)"));
  CHECK_THAT(text, Contains("conf.yaml:5: unknown key zzz\n"));
}

TEST_CASE("what needs a Python engine is refused with key and line") {
  auto [type, engine] = GENERATE(table<std::string, std::string>({{"DEEPSPEED", "DeepSpeed"},
                                                                  {"FSDP", "FullyShardedDataParallel"},
                                                                  {"MEGATRON_LM", "Megatron-LM"},
                                                                  {"XLA", "TPU"},
                                                                  {"MULTI_NPU", "MULTI_NPU"}}));
  std::string text = refusal_of("debug: false\ndistributed_type: " + type + "\nnum_processes: 8\n");
  CHECK_THAT(text, Contains("conf.yaml:2: distributed_type"));
  CHECK_THAT(text, Contains(engine));
}

TEST_CASE("sections of Python engines are refused even beside MULTI_GPU, empty ones are not") {
  auto section = GENERATE(as<std::string>(), "deepspeed_config", "fsdp_config", "megatron_lm_config", "fp8_config",
                          "parallelism_config");
  CHECK_THAT(refusal_of(kGpus + section + ":\n  x: 1\n"), Contains("conf.yaml:3: " + section + " needs"));
  CHECK(refusal_of(kGpus + section + ": {}\n") == "accepted");
}

TEST_CASE("TPU pods, mpirun and SageMaker are refused with key and line") {
  CHECK_THAT(refusal_of(kGpus + "tpu_use_cluster: true\n"), Contains("conf.yaml:3: tpu_use_cluster needs a TPU pod"));
  CHECK_THAT(refusal_of("distributed_type: MULTI_CPU\nmpirun_config:\n  mpirun_hostfile: h\n"),
             Contains("conf.yaml:2: mpirun_config needs mpirun"));
  CHECK_THAT(refusal_of("ec2_instance_type: x\ncompute_environment: AMAZON_SAGEMAKER\n"),
             Contains("conf.yaml:2: compute_environment"));
  CHECK_THAT(refusal_of(kGpus + "mixed_precision: fp8\n"), Contains("conf.yaml:3: mixed_precision: fp8 needs"));
}

TEST_CASE("a value of the wrong type is refused with its line") {
  CHECK_THAT(refusal_of("distributed_type: MULTI_GPU\nnum_processes: eight\n"),
             Contains("conf.yaml:2: num_processes must be a whole number"));
  CHECK_THAT(refusal_of(kGpus + "main_process_port: 70000\n"), Contains("conf.yaml:3: main_process_port is 70000"));
  CHECK_THAT(refusal_of(kGpus + "use_cpu: maybe\n"), Contains("conf.yaml:3: use_cpu must be true or false"));
  CHECK_THAT(refusal_of(kGpus + "num_machines: 0\n"), Contains("conf.yaml:3: num_machines is 0"));
  CHECK_THAT(refusal_of(kGpus + "mixed_precision: bf15\n"), Contains("conf.yaml:3: mixed_precision"));
  CHECK_THAT(refusal_of("num_processes: 8\n"), Contains("distributed_type is missing"));
}

TEST_CASE("an unquoted no is taken as meant, with a warning that the real accelerate fails on it") {
  auto config = parse_config(kGpus + "mixed_precision: no\n", "conf.yaml");
  CHECK(config.mixed_precision == "no");
  REQUIRE(config.warnings.size() == 1);
  CHECK_THAT(config.warnings[0], Contains("conf.yaml:3"));
}

TEST_CASE("of a repeated key the last counts, with a warning") {
  auto config = parse_config(kGpus + "num_processes: 4\n", "conf.yaml");
  CHECK(config.num_processes == 4);
  CHECK(config.warnings.size() == 1);
}

TEST_CASE("the dynamo section is read with and without its prefix and checked for misspelt keys") {
  auto config = parse_config(kGpus + "dynamo_config:\n  dynamo_backend: INDUCTOR\n  use_dynamic: true\n", "conf.yaml");
  CHECK(config.dynamo.at("dynamo_backend") == "INDUCTOR");
  CHECK(config.dynamo.at("dynamo_use_dynamic") == "True");
  CHECK_THAT(refusal_of(kGpus + "dynamo_config:\n  dynamo_bakend: X\n"),
             Contains("conf.yaml:4: unknown key dynamo_config.dynamo_bakend (did you mean dynamo_backend?)"));
  CHECK_THAT(refusal_of(kGpus + "dynamo_config:\n  dynamo_backend: FAST\n"), Contains("conf.yaml:4: dynamo_backend"));
}

TEST_CASE("what is no YAML, no map or no file is one message with the place") {
  CHECK_THAT(refusal_of("a: [1, 2\nb: 3"), Contains("conf.yaml:2:"));
  CHECK_THAT(refusal_of("- a\n- b\n"), Contains("no `key: value` lines"));
  CHECK_THAT(refusal_of(""), Contains("no `key: value` lines"));
  CHECK_THAT(refusal_of(std::string(5000, '[')), Contains("conf.yaml:1"));
  CHECK_THROWS_WITH(load_config("/nowhere/conf.yaml"), Contains("/nowhere/conf.yaml"));
}

TEST_CASE("a JSON file, as `accelerate config default` writes it, is read") {
  mdl::test::TempDir folder;
  auto path = folder.path() / "conf.json";
  std::ofstream(path) << "{\n  \"compute_environment\": \"LOCAL_MACHINE\",\n  \"distributed_type\": \"NO\",\n  "
                         "\"mixed_precision\": \"no\",\n"
                         "  \"num_processes\": 1,\n  \"use_cpu\": true\n}\n";
  auto config = load_config(path);
  CHECK(config.use_cpu);
  CHECK(config.mixed_precision == "no");
  CHECK(config.warnings.empty());
}

TEST_CASE("a file that cannot be read is a wrong command line, as one that is not there") {
  mdl::test::TempDir folder;
  const auto file = folder.path() / "conf.yaml";
  std::ofstream(file) << "distributed_type: MULTI_GPU\n";
  std::filesystem::permissions(file, std::filesystem::perms::none);
  CHECK_THROWS_AS(load_config(folder.path() / "nowhere.yaml"), mdl::UsageError);
  const mdl::test::PlainUser user({folder.path(), file});
  CHECK_THROWS_AS(load_config(file), mdl::UsageError);
}
