#include <catch2/catch.hpp>

#include <torch/torch.h>

#include <random>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "tests/temp_dir.hpp"
#include "worker/training/rng_file.hpp"

using namespace mdl;

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
  for (const uint32_t word : numpy_seeded(42)) words << word << ' ';
  words << 624;
  words >> other;
  CHECK(twister() == other());
}

TEST_CASE("a file that is no random state is refused by name") {
  const test::TempDir folder;
  const auto file = folder.path() / "rng_state.pth";
  write_text_atomically(file, "nothing of the kind");
  CHECK_THROWS_WITH(load_rng_state(file), Catch::Matchers::Contains("rng_state.pth"));
}
