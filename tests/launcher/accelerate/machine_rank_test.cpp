#include "launcher/accelerate/machine_rank.hpp"

#include <catch2/catch.hpp>

#include "common/error.hpp"
#include "launcher/accelerate/default_config_file.hpp"

using namespace mdl;
using namespace mdl::launcher::accelerate;

TEST_CASE("Slurm, Kubeflow and an indexed Kubernetes Job tell the rank of a machine") {
  CHECK(find_machine_rank({{"SLURM_NODEID", "3"}})->rank == 3);
  CHECK(find_machine_rank({{"PET_NODE_RANK", "2"}})->rank == 2);
  CHECK(find_machine_rank({{"JOB_COMPLETION_INDEX", "1"}})->rank == 1);
  CHECK(find_machine_rank({{"SLURM_NODEID", "0"}, {"JOB_COMPLETION_INDEX", "1"}})->source == "SLURM_NODEID=0");
}

TEST_CASE("the ordinal of a pod's name counts inside Kubernetes only") {
  CHECK_FALSE(find_machine_rank({{"HOSTNAME", "trainer-5"}}));
  CHECK(find_machine_rank({{"HOSTNAME", "trainer-5"}, {"KUBERNETES_SERVICE_HOST", "10.0.0.1"}})->rank == 5);
  CHECK_FALSE(find_machine_rank({{"HOSTNAME", "trainer-x7kq"}, {"KUBERNETES_SERVICE_HOST", "10.0.0.1"}}));
}

TEST_CASE("nothing tells the rank, or nonsense does") {
  CHECK_FALSE(find_machine_rank({}));
  CHECK_THROWS_AS(find_machine_rank({{"SLURM_NODEID", "one"}}), mdl::UsageError);
}

TEST_CASE("the default file lies where accelerate keeps it") {
  CHECK(default_config_file({{"HOME", "/home/u"}}) == "/home/u/.cache/huggingface/accelerate/default_config.yaml");
  CHECK(default_config_file({{"HOME", "/home/u"}, {"XDG_CACHE_HOME", "/c"}}) ==
        "/c/huggingface/accelerate/default_config.yaml");
  CHECK(default_config_file({{"HOME", "/home/u"}, {"XDG_CACHE_HOME", "/c"}, {"HF_HOME", "~/hf"}}) ==
        "/home/u/hf/accelerate/default_config.yaml");
}
