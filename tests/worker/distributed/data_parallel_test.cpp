#include <torch/torch.h>

#include <catch2/catch.hpp>

#include <chrono>
#include <thread>

#include "common/error.hpp"
#include "tests/worker/distributed/two_ranks.hpp"
#include "worker/distributed/data_parallel.hpp"
#include "worker/training/adamw.hpp"
#include "worker/training/loop/evaluation.hpp"
#include "worker/training/loop/step_clock.hpp"

using namespace mdl;
using namespace mdl::worker::distributed;
using namespace mdl::worker::process;
using namespace mdl::worker::training;
using namespace mdl::worker::training::loop;
using Catch::Contains;

TEST_CASE("a store that nobody serves is an error with its address, after the time that ranks wait for each other") {
  WorkerEnvironment environment;
  environment.world_size = 2;
  environment.rank = 1;
  environment.master_addr = "127.0.0.1";
  environment.master_port = free_port();
  const auto began = std::chrono::steady_clock::now();
  CHECK_THROWS_WITH(ProcessGroup(environment, at::kCPU, std::chrono::seconds(1)),
                    Contains("cannot reach the store at MASTER_ADDR:MASTER_PORT 127.0.0.1:" +
                             std::to_string(environment.master_port)) &&
                        Contains("Is rank 0 (or the launcher) running") && !Contains("Exception raised from"));
  CHECK(std::chrono::steady_clock::now() - began >= std::chrono::seconds(1));
}

TEST_CASE("parameters start as rank 0's and gradients become the average over ranks") {
  on_two_ranks([](ProcessGroup& group) {
    const auto rank = static_cast<double>(group.rank());
    at::Tensor a = torch::full({3}, 1 + rank, torch::requires_grad());
    at::Tensor b = torch::full({2, 2}, 5 + rank, torch::requires_grad());
    DataParallel data_parallel(group, {{"a", a}, {"b", b}});
    REQUIRE(torch::equal(a, torch::full({3}, 1.0)));
    REQUIRE(torch::equal(b, torch::full({2, 2}, 5.0)));

    for (int step = 0; step < 3; ++step) {  // the reducer rebuilds its buckets after the first
      data_parallel.zero_gradients();
      data_parallel.begin_forward(true);
      const at::Tensor loss = (a * (rank + step)).sum() + (b * 4 * rank).sum();
      data_parallel.begin_backward(loss, true);
      loss.backward();
      REQUIRE(torch::allclose(a.grad(), torch::full({3}, 0.5 + step)));
      REQUIRE(torch::allclose(b.grad(), torch::full({2, 2}, 2.0)));
    }
  });
}

TEST_CASE("accumulated gradients are exchanged once, with the last micro-batch") {
  on_two_ranks([](ProcessGroup& group) {
    const auto rank = static_cast<double>(group.rank());
    at::Tensor a = torch::ones({3}, torch::requires_grad());
    DataParallel data_parallel(group, {{"a", a}});
    for (int step = 0; step < 2; ++step) {
      data_parallel.zero_gradients();
      for (int micro = 0; micro < 3; ++micro) {
        const bool last = micro == 2;
        data_parallel.begin_forward(last);
        const at::Tensor loss = (a * (rank + micro)).sum();
        data_parallel.begin_backward(loss, last);
        loss.backward();
        if (!last) {
          REQUIRE(a.grad()[0].item<double>() == (micro == 0 ? rank : 2 * rank + 1));  // still local
        }
      }
      REQUIRE(torch::allclose(a.grad(), torch::full({3}, 1.5 + 3)));
    }
  });
}

TEST_CASE("what a rank waits for the others in a step is told apart from its own work") {
  on_two_ranks([](ProcessGroup& group) {
    constexpr auto kLate = std::chrono::milliseconds(300);
    at::Tensor a = torch::ones({3}, torch::requires_grad());
    DataParallel data_parallel(group, {{"a", a}});
    mdl::worker::training::loop::StepClock clock(at::kCPU);
    for (int step = 0; step < 2; ++step) {
      clock.begin();
      if (!group.is_first()) { std::this_thread::sleep_for(kLate); }
      data_parallel.zero_gradients();
      data_parallel.begin_forward(true);
      const at::Tensor loss = a.sum();
      data_parallel.begin_backward(loss, true, [&] { clock.wait(); });
      loss.backward();
      clock.work();
      clock.end();
    }
    const double late = 2 * std::chrono::duration<double>(kLate).count();
    if (group.is_first()) {
      REQUIRE(clock.waiting() > late / 2);  // a loaded machine may make it late itself
    } else {
      REQUIRE(clock.own() >= late);
      REQUIRE(clock.waiting() < clock.own());
    }
  });
}

TEST_CASE("ranks that were started with different options are told so") {
  on_two_ranks([](ProcessGroup& group) {
    const std::string facts = group.is_first() ? "--seed 42\n--lr 0.1\n" : "--seed 42\n--lr 0.2\n";
    if (group.is_first()) {
      REQUIRE_NOTHROW(group.require_same(facts));
    } else {
      REQUIRE_THROWS_WITH(group.require_same(facts),
                          Contains("rank 1") && Contains("--lr 0.2") && Contains("--lr 0.1"));
    }
  });
}

TEST_CASE("AdamW moves as torch's does") {
  // p = torch.nn.Parameter(torch.tensor([1.0, -2.0])); o = torch.optim.AdamW([p], lr=0.1, weight_decay=0)
  // for g in ([0.5, -1.0], [0.25, 3.0]): p.grad = torch.tensor(g); o.step(); print(p.tolist())
  at::Tensor parameter = torch::tensor({1.0f, -2.0f}).requires_grad_();
  AdamW optimizer({parameter});
  parameter.mutable_grad() = torch::tensor({0.5f, -1.0f});
  optimizer.step(0.1);
  CHECK(torch::allclose(parameter, torch::tensor({0.9f, -1.9f})));
  parameter.mutable_grad() = torch::tensor({0.25f, 3.0f});
  optimizer.step(0.1);
  CHECK(torch::allclose(parameter, torch::tensor({0.806782f, -1.949419f}), 1e-5));
  CHECK(optimizer.state().steps[0].item<float>() == 2);
}

TEST_CASE("gradients are clipped to norm 1 and the norm before is told") {
  at::Tensor a = torch::zeros({1}, torch::requires_grad());
  at::Tensor b = torch::zeros({1}, torch::requires_grad());
  a.mutable_grad() = torch::full({1}, 3.0);
  b.mutable_grad() = torch::full({1}, 4.0);
  CHECK(clip_gradients({a, b}, 1.0).item<double>() == Approx(5.0));
  CHECK(a.grad().item<double>() == Approx(0.6));
  CHECK(clip_gradients({a, b}, 1.0).item<double>() == Approx(1.0));
  CHECK(b.grad().item<double>() == Approx(0.8));  // within the norm: left as it was
}

TEST_CASE("an evaluation weighs batches by their clips and skips those without labels") {
  CHECK(mean_of_batches({8, 6}, {4, 2}, {3, 1}) == Approx((2.0 * 3 + 3.0 * 1) / 4));
  CHECK(mean_of_batches({8, 0}, {4, 0}, {3, 1}) == Approx(2.0));
}
