#include "worker/device/device_choice.hpp"

#include <catch2/catch.hpp>
#include <map>

#include "common/error.hpp"
#include "worker/device/rank_devices.hpp"

using namespace mdl;
using namespace mdl::worker::device;
using Catch::Contains;

namespace {

Variable with(const std::map<std::string, std::string>& variables) {
  return [variables](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
}

nvidia::Driver no_driver() {
  return {};
}

nvidia::Driver old_driver() {
  return {.gpus = 2, .counted = "NVML", .version = "570.86.15", .cuda_version = 12080};
}

const CudaView kNoneOpened{.built_in = true,
                           .gpus = 0,
                           .error = "CUDA driver version is insufficient for CUDA runtime version",
                           .built_for = "LibTorch 2.15.0+cu132",
                           .runtime = 13020};
const CudaView kTwoOpened{
    .built_in = true, .gpus = 2, .error = "", .built_for = "LibTorch 2.15.0+cu132", .runtime = 13020};

RankDevice rank_on(int rank, const std::string& host, Kind kind, const std::string& because = "") {
  return {rank, host, {kind, because, "", ""}};
}

}  // namespace

TEST_CASE("the CPU is wanted by the option, by accelerate's variable and by a CUDA_VISIBLE_DEVICES that names no GPU") {
  CHECK(read_wish("auto", with({})).what == Wish::What::automatic);
  CHECK(read_wish("cpu", with({})).said_by == "--device cpu");
  CHECK(read_wish("auto", with({{"ACCELERATE_USE_CPU", "True"}})).said_by == "ACCELERATE_USE_CPU=True");
  CHECK(read_wish("auto", with({{"ACCELERATE_USE_CPU", "false"}})).what == Wish::What::automatic);
  CHECK(read_wish("auto", with({{"CUDA_VISIBLE_DEVICES", ""}})).said_by == "CUDA_VISIBLE_DEVICES=\"\"");
  for (const char* none : {"-1", "NoDevFiles"}) {
    CHECK(read_wish("auto", with({{"CUDA_VISIBLE_DEVICES", none}})).what == Wish::What::cpu);
  }
  for (const char* some : {"0", "GPU-12", "7"}) {
    CHECK(read_wish("auto", with({{"CUDA_VISIBLE_DEVICES", some}})).what == Wish::What::automatic);
  }
  CHECK(read_wish("cuda", with({{"ACCELERATE_USE_CPU", "1"}})).what == Wish::What::cuda);
  CHECK_THROWS_AS(read_wish("cuda", with({{"CUDA_VISIBLE_DEVICES", ""}})), UsageError);
}

TEST_CASE("a GPU is taken where CUDA opens one, and the CPU where nothing says that there is one") {
  CHECK(choose({}, kTwoOpened, no_driver).kind == Kind::cuda);
  const Choice none = choose({}, kNoneOpened, no_driver);
  CHECK(none.kind == Kind::cpu);
  CHECK((none.problem.empty() && none.because.empty()));
  const Choice wanted = choose({Wish::What::cpu, "--device cpu"}, kNoneOpened, old_driver);
  CHECK(wanted.kind == Kind::cpu);
  CHECK((wanted.problem.empty() && wanted.because == "--device cpu"));
}

TEST_CASE("GPUs that CUDA does not open are a problem, told with CUDA's text, the driver and what was built for") {
  const Choice choice = choose({}, kNoneOpened, old_driver);
  CHECK(choice.problem ==
        "this machine has 2 NVIDIA GPUs (NVML; driver 570.86.15, for CUDA 12.8), but CUDA opens none: CUDA driver "
        "version is "
        "insufficient for CUDA runtime version (it was built for LibTorch 2.15.0+cu132)");
  CHECK_THAT(choice.advice, Contains("too old for CUDA 13") && Contains("--device cpu"));
  CudaView without;
  without.built_in = false;
  const auto broken = [] {
    return nvidia::Driver{.gpus = 1, .counted = "/dev/nvidia0", .version = "", .cuda_version = 0};
  };
  const Choice other = choose({}, kNoneOpened, broken);
  CHECK_THAT(other.problem, Contains("1 NVIDIA GPU (/dev/nvidia0; no driver answers)"));
  CHECK_THAT(other.advice, Contains("nvidia-smi"));
  CHECK_THAT(choose({}, without, old_driver).problem, Contains("was built without CUDA"));
  CHECK_THAT(choose({Wish::What::cuda, "--device cuda"}, kNoneOpened, no_driver).problem,
             Contains("--device cuda: no NVIDIA GPU was found on this machine, and CUDA opens none: CUDA driver"));
}

TEST_CASE("ranks agree when all have the same kind of device") {
  CHECK_FALSE(find_disagreement({rank_on(0, "a", Kind::cuda), rank_on(1, "b", Kind::cuda)}));
  CHECK_FALSE(find_disagreement({rank_on(0, "a", Kind::cpu, "--device cpu"), rank_on(1, "b", Kind::cpu)}));
}

TEST_CASE("a rank without the others' kind of device is named with its host") {
  const auto found =
      find_disagreement({rank_on(0, "a", Kind::cuda), rank_on(1, "a", Kind::cuda), rank_on(2, "b", Kind::cpu)});
  REQUIRE(found);
  CHECK(found->problem ==
        "not all ranks compute on the same kind of device: rank 2 on b found no GPU, but ranks 0, 1 on a took GPUs");
  CHECK_THAT(found->advice, Contains("--device cpu"));
  CHECK_THAT(
      find_disagreement({rank_on(0, "a", Kind::cpu, "ACCELERATE_USE_CPU=true"), rank_on(1, "b", Kind::cuda)})->problem,
      Contains("rank 0 on a took the CPU (ACCELERATE_USE_CPU=true)"));
}

TEST_CASE("a rank's problem goes before differences, and of many ranks and hosts only some are named") {
  std::vector<RankDevice> devices = {rank_on(0, "a", Kind::cpu)};
  for (int rank = 1; rank < 41; ++rank) {
    devices.push_back({rank, "host" + std::to_string(rank / 8), {Kind::cuda, "", "broken", "mend"}});
  }
  devices.push_back({41, "b", {Kind::cuda, "", "otherwise broken", "mend it"}});
  const auto found = find_disagreement(devices);
  REQUIRE(found);
  CHECK(found->problem ==
        "ranks 1 to 7 on host0; ranks 8 to 15 on host1; ranks 16 to 23 on host2; ranks 24 to 31 on host3; "
        "2 more hosts: broken; and 1 more ranks cannot compute");
  CHECK(found->advice == "mend");
}

TEST_CASE("what a rank tells of its device arrives as it was, and something else is refused") {
  const RankDevice told = from_text(to_text({7, "node\x80", {Kind::cuda, "because", "problem", "advice"}}));
  CHECK(told.rank == 7);
  CHECK(told.choice.kind == Kind::cuda);
  CHECK(told.choice.because == "because");
  CHECK(told.choice.problem == "problem");
  CHECK(told.choice.advice == "advice");
  CHECK_THROWS_WITH(from_text("{}"), Contains("same mdl-toolkit"));
  CHECK_THROWS_WITH(from_text("cuda"), Contains("same mdl-toolkit"));
}
