#include "launcher/accelerate/launch_options.hpp"

#include <catch2/catch.hpp>
#include <set>

#include "common/error.hpp"
#include "launcher/accelerate/accelerate_command.hpp"
#include "launcher/accelerate/cluster_config.hpp"
#include "launcher/accelerate/launch_option_table.hpp"

using namespace mdl;
using namespace mdl::launcher::accelerate;
using Catch::Contains;
using Words = std::vector<std::string>;

TEST_CASE("options are spelt with - or _, with a space or =, and end at the program") {
  auto options = parse_launch_options({"--num_processes=4", "--num-machines", "2", "--machine_rank", "1", "--no-python",
                                       "-t3", "prog", "--num-processes", "9"});
  CHECK(options.num_processes == 4);
  CHECK(options.num_machines == 2);
  CHECK(options.machine_rank == 1);
  CHECK(options.no_python);
  CHECK(options.tee == "3");
  CHECK(options.program == Words{"prog", "--num-processes", "9"});
  CHECK(parse_launch_options({"-t=3", "prog"}).tee == "3");  // as argparse has it
}

TEST_CASE("numbers may have blanks, a line end and a plus") {
  CHECK(parse_launch_options({"--num-processes", " +4\n", "prog"}).num_processes == 4);
  CHECK(parse_launch_options({"--main-process-port= 0", "prog"}).main_process_port == 0);
  CHECK_THROWS_WITH(parse_launch_options({"--num-processes", "-1", "x"}),
                    Contains("--num-processes") && Contains("-1"));
}

TEST_CASE("the first -- of accelerate's command line is the launcher's, also directly behind the program") {
  CHECK(parse_launch_options({"prog", "--", "--foo"}).program == Words{"prog", "--foo"});
  CHECK(parse_launch_options({"--", "prog", "--", "--foo"}).program == Words{"prog", "--", "--foo"});
  CHECK(parse_launch_options({"prog", "x", "--", "y"}).program == Words{"prog", "x", "--", "y"});
}

TEST_CASE("an unknown option names the nearest") {
  CHECK_THROWS_WITH(parse_launch_options({"--num-procesess", "4", "x"}),
                    Contains("unknown option --num-procesess") && Contains("Did you mean --num-processes?"));
  CHECK_THROWS_AS(parse_launch_options({"-z", "x"}), mdl::UsageError);
}

TEST_CASE("an option of a Python engine is refused by that engine's name") {
  CHECK_THROWS_WITH(parse_launch_options({"--use_deepspeed", "x"}), Contains("DeepSpeed"));
  CHECK_THROWS_WITH(parse_launch_options({"--fsdp_sharding_strategy=1", "x"}), Contains("FullyShardedDataParallel"));
  CHECK_THROWS_WITH(parse_launch_options({"--tpu", "x"}), Contains("TPU"));
}

TEST_CASE("torchrun's words for the same things are answered with accelerate's") {
  CHECK_THROWS_WITH(parse_launch_options({"--nproc-per-node", "4", "x"}), Contains("--num-processes"));
  CHECK_THROWS_WITH(parse_launch_options({"--rdzv_endpoint=h:1", "x"}), Contains("--main-process-ip"));
}

TEST_CASE("torchrun's options without a counterpart go to the launcher unchanged") {
  CHECK(parse_launch_options({"--rdzv-id", "a1", "--virtual_local_rank", "x"}).passed_on ==
        Words{"--rdzv-id", "a1", "--virtual_local_rank"});
}

TEST_CASE("bad values are refused with the option's name") {
  CHECK_THROWS_WITH(parse_launch_options({"--num-processes", "many", "x"}), Contains("--num-processes"));
  CHECK_THROWS_WITH(parse_launch_options({"--mixed-precision", "bf17", "x"}), Contains("no, fp16, bf16, fp8"));
  CHECK_THROWS_WITH(parse_launch_options({"--main-process-port"}), Contains("--main-process-port needs a value"));
  CHECK_THROWS_WITH(parse_launch_options({"--role", "--module", "x"}), Contains("--role needs a value"));
  CHECK_THROWS_WITH(parse_launch_options({"--cpu=1", "x"}), Contains("takes no value"));
  CHECK(parse_launch_options({"--machine-rank", "auto", "x"}).machine_rank == kMachineRankAuto);
}

TEST_CASE("a configuration file is seen among the launcher's options only") {
  CHECK(names_config_file({"--config-file", "c", "prog"}));
  CHECK(names_config_file({"--config_file=c", "prog"}));
  CHECK(names_config_file({"--no-python", "--config_file", "c", "prog"}));
  CHECK(names_config_file({"--rdzv-id", "x", "--config_file", "c", "prog"}));
  CHECK_FALSE(names_config_file({"--no-python", "prog", "--config-file", "c"}));
  CHECK_FALSE(names_config_file({"--nproc-per-node", "2", "prog", "--config-file", "c"}));
  CHECK_FALSE(names_config_file({"--standalone", "--", "--config-file"}));
  CHECK_FALSE(names_config_file({}));
}

TEST_CASE("the commands are the first word only") {
  CHECK(is_accelerate_command({"launch", "x"}));
  CHECK(is_accelerate_command({"config"}));
  CHECK_FALSE(is_accelerate_command({"--no-python", "launch"}));
  CHECK_FALSE(is_accelerate_command({"./launch"}));
  CHECK_FALSE(is_accelerate_command({}));
}

TEST_CASE("every row of the table is an option of its own, and its key one of the file's") {
  std::set<std::string> names;
  for (const LaunchOptionGroup& group : launch_options()) {
    for (const LaunchOption& row : group.options) {
      INFO(row.option.name);
      CHECK(names.insert(row.option.name).second);
      CHECK(row_of(row.option).option.name == row.option.name);
      if (row.key.empty()) { continue; }
      CHECK(row_of_key(row.key) == &row);
      const std::string name = row.key.substr(row.key.find('.') + 1);
      const bool in_section = row.key != name;
      const std::string text = "distributed_type: MULTI_GPU\n" + std::string(in_section ? "dynamo_config:\n  " : "");
      CHECK_NOTHROW(parse_config(text + name + ":" + (in_section ? " INDUCTOR\n" : "\n"), "conf.yaml"));
    }
  }
}

TEST_CASE("what is not given is the field's own default, and --help shows it") {
  const LaunchOptions options = parse_launch_options({"prog"});
  CHECK(options.rdzv_backend == "static");
  CHECK(options.max_restarts == 0);
  CHECK(options.role == "default");
  CHECK_FALSE(options.num_processes);
  CHECK_THAT(help_text(launch_help(), 80), Contains("(default: static)") && Contains("(default: 0.1)"));
}
