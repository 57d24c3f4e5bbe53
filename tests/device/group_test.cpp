#include <ATen/Context.h>
#include <torch/torch.h>

#include <catch2/catch.hpp>

#include "common/error.hpp"
#include "tests/worker/distributed/two_ranks.hpp"
#include "worker/distributed/data_parallel.hpp"
#include "worker/distributed/rank_meeting.hpp"

using namespace mdl;
using namespace mdl::worker;
using namespace mdl::worker::distributed;
using Catch::Contains;

namespace {

process::Lookup variable(const std::string& name, const std::string& value) {
  return [=](const char* wanted) { return wanted == name ? std::optional(value) : std::nullopt; };
}

process::WorkerEnvironment one_rank() {
  process::WorkerEnvironment environment;
  environment.master_addr = "127.0.0.1";
  environment.master_port = free_port();
  return environment;
}

}  // namespace

TEST_CASE("attention by cuDNN is off unless MDL_CUDNN_ATTENTION=1 allows it") {
  choose_attention(variable("MDL_CUDNN_ATTENTION", "1"));
  CHECK(at::globalContext().userEnabledCuDNNSDP());
  for (const auto& lookup : {variable("MDL_CUDNN_ATTENTION", "0"), variable("ANOTHER", "1")}) {
    at::globalContext().setSDPUseCuDNN(true);
    choose_attention(lookup);
    CHECK(!at::globalContext().userEnabledCuDNNSDP());
  }
  at::globalContext().setSDPUseCuDNN(true);
  meet_ranks(std::nullopt, {device::Wish::What::cpu, "--device cpu"});
  CHECK(!at::globalContext().userEnabledCuDNNSDP());
  CHECK_THROWS_WITH(choose_attention(variable("MDL_CUDNN_ATTENTION", "yes")),
                    Contains("MDL_CUDNN_ATTENTION=yes: expected 0 or 1"));
}

TEST_CASE("one process forms a group where MDL_FORCE_GROUP=1 asks for it, several always") {
  const auto forced = variable("MDL_FORCE_GROUP", "1"), open = variable("ANOTHER", "1");
  process::WorkerEnvironment environment;
  CHECK(!forms_group(environment, open));
  CHECK(!forms_group(environment, variable("MDL_FORCE_GROUP", "0")));
  CHECK(forms_group(environment, forced));
  environment.world_size = 2;
  CHECK(forms_group(environment, open));
  CHECK(!forms_group(std::nullopt, open));
  CHECK_THROWS_WITH(forms_group(std::nullopt, forced), Contains("no launcher started"));
  CHECK_THROWS_WITH(forms_group(environment, variable("MDL_FORCE_GROUP", "2")),
                    Contains("MDL_FORCE_GROUP=2: expected 0 or 1"));
}

TEST_CASE("a group of one process is a group, which does all that a larger one does") {
  CHECK(ProcessGroup().is_alone());
  ProcessGroup group(one_rank(), at::kCPU);
  CHECK(!group.is_alone());
  CHECK(group.is_first());
  at::Tensor sum = torch::full({1}, 3.0);
  group.sum(sum);
  CHECK(sum.item<double>() == 3.0);
  group.broadcast({sum});
  group.meet();
  CHECK(group.share("text", "mine") == "mine");
  CHECK(group.gather("texts", "mine") == std::vector<std::string>{"mine"});
  CHECK(group.share_all("all texts", "mine") == std::vector<std::string>{"mine"});
  CHECK(group.next_number("number") == 0);
  CHECK(group.next_number("number") == 1);
  at::Tensor weight = torch::full({3}, 2.0, torch::requires_grad());
  DataParallel data_parallel(group, {{"weight", weight}});
  data_parallel.zero_gradients();
  data_parallel.begin_forward(true);
  const at::Tensor loss = (weight * 5).sum();
  data_parallel.begin_backward(loss, true);
  loss.backward();
  CHECK(at::equal(weight.grad(), torch::full({3}, 5.0)));
}
