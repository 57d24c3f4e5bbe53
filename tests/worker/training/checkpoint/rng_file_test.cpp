#include <catch2/catch.hpp>

#include <torch/torch.h>

#include <random>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "tests/temp_dir.hpp"
#include "worker/training/checkpoint/rng_file.hpp"

using namespace mdl;
using namespace mdl::worker::training::checkpoint;

TEST_CASE("a stream goes on after its state was written to a file and read") {
  const test::TempDir folder;
  torch::manual_seed(7);
  torch::rand({5});
  save_rng_state(folder.path() / "rng_state.pth", current_rng_state(at::kCPU), 42, 1);
  const at::Tensor expected = torch::rand({9});
  torch::manual_seed(1);
  set_rng_state(load_rng_state(folder.path() / "rng_state.pth"), at::kCPU);
  CHECK(torch::equal(torch::rand({9}), expected));
}

TEST_CASE("a state survives as a text") {
  torch::manual_seed(7);
  const RngState state = current_rng_state(at::kCPU);
  const at::Tensor expected = torch::rand({3});
  set_rng_state(rng_state_from(to_text(state)), at::kCPU);
  CHECK(torch::equal(torch::rand({3}), expected));
}

TEST_CASE("NumPy's seeded words are those of the standard's Mersenne Twister") {
  std::mt19937 twister(42);
  std::mt19937 other;
  std::stringstream words;
  for (const uint32_t word : numpy_seeded(42)) { words << word << ' '; }
  words << 624;
  words >> other;
  CHECK(twister() == other());
}

TEST_CASE("the states of several GPUs come back, each its own") {
  const test::TempDir folder;
  RngState state = current_rng_state(at::kCPU);
  for (int gpu = 0; gpu < 3; ++gpu) { state.cuda.push_back(torch::full({16}, gpu, at::kByte)); }
  save_rng_state(folder.path() / "rng_state_1.pth", state, 42, 2);
  const RngState read = rng_state_from(to_text(load_rng_state(folder.path() / "rng_state_1.pth")));
  CHECK(torch::equal(read.cpu, state.cpu));
  REQUIRE(read.cuda.size() == 3);
  for (size_t gpu = 0; gpu < 3; ++gpu) { CHECK(torch::equal(read.cuda[gpu], state.cuda[gpu])); }
}

TEST_CASE("a state of the wrong size is refused by name") {
  const test::TempDir folder;
  const auto file = folder.path() / "rng_state.pth";
  save_rng_state(file, {.cpu = torch::zeros({100}, at::kByte), .cuda = {}}, 42, 1);
  CHECK_THROWS_WITH(load_rng_state(file), Catch::Contains("rng_state.pth") && Catch::Contains("100 bytes"));
}

TEST_CASE("a file that is no random state is refused by name") {
  const test::TempDir folder;
  const auto file = folder.path() / "rng_state.pth";
  write_text_atomically(file, "nothing of the kind");
  CHECK_THROWS_WITH(load_rng_state(file), Catch::Contains("rng_state.pth"));
}
