#include "worker/distributed/rank_meeting.hpp"

#include <torch/csrc/distributed/c10d/HashStore.hpp>

#include <catch2/catch.hpp>
#include <thread>
#include <vector>

#include "common/error.hpp"
#include "common/host.hpp"
#include "common/str_cat.hpp"

using namespace mdl;
using namespace mdl::worker;
using namespace mdl::worker::distributed;
using namespace std::chrono_literals;
using device::Choice;
using device::Kind;

namespace {

/// What each rank ends with: empty where it goes on.
std::vector<std::string> agree(const std::vector<Choice>& choices, std::size_t present,
                               std::chrono::milliseconds timeout) {
  const auto store = c10::make_intrusive<c10d::HashStore>();
  std::vector<std::string> ends(present);
  std::vector<std::thread> ranks;
  for (std::size_t rank = 0; rank < present; ++rank) {
    ranks.emplace_back([&, rank] {
      process::WorkerEnvironment environment;
      environment.rank = static_cast<int>(rank);
      environment.world_size = static_cast<int>(choices.size());
      try {
        agree_on_device(*store, environment, choices[rank], timeout);
      } catch (const Error& error) { ends[rank] = error.problem(); }
    });
  }
  for (std::thread& rank : ranks) { rank.join(); }
  return ends;
}

const Choice kGpu{Kind::cuda, "", "", ""}, kCpu{Kind::cpu, "", "", ""}, kBroken{Kind::cuda, "", "no driver", "mend"};

}  // namespace

TEST_CASE("ranks with the same kind of device go on") {
  CHECK(agree({kGpu, kGpu, kGpu}, 3, 30s) == std::vector<std::string>(3));
  CHECK(agree({kCpu, kCpu}, 2, 30s) == std::vector<std::string>(2));
}

TEST_CASE("ranks of two kinds all end with the same words") {
  const std::string host = host_name();
  const std::string told = str_cat("not all ranks compute on the same kind of device: rank 1 on ", host,
                                   " found no GPU, but ranks 0, 2 on ", host, " took GPUs");
  CHECK(agree({kGpu, kCpu, kGpu}, 3, 30s) == std::vector<std::string>(3, told));
}

TEST_CASE("a rank that cannot compute is told at once, though another has not come yet") {
  const std::string told = str_cat("rank 1 on ", host_name(), ": no driver");
  CHECK(agree({kGpu, kBroken, kGpu}, 2, 1h) == std::vector<std::string>(2, told));
}

TEST_CASE("a rank that does not come is named after the timeout") {
  CHECK(agree({kGpu, kGpu}, 1, 1s) == std::vector<std::string>{"rank 1 has not come to the store within 1 s"});
}
