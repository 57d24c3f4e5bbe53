#include <ATen/Context.h>

#include <catch2/catch.hpp>

#include "common/error.hpp"
#include "worker/training/precision.hpp"

using namespace mdl;
using namespace mdl::worker::training;
using Catch::Contains;

TEST_CASE("float32 is computed in TF32 only where --tf32 says so, on a GPU that has it") {
  auto& context = at::globalContext();
  const bool before = context.allowTF32CuBLAS(), convolutions = context.allowTF32CuDNN();
  CHECK(!before);
  choose_tf32(std::nullopt, true);
  CHECK(context.allowTF32CuBLAS() == before);
  choose_tf32(true, true);
  CHECK(context.allowTF32CuBLAS());
  CHECK(context.allowTF32CuDNN());
  choose_tf32(false, false);
  CHECK(!context.allowTF32CuBLAS());
  CHECK(!context.allowTF32CuDNN());
  context.setAllowTF32CuDNN(convolutions);
  CHECK_THROWS_WITH(choose_tf32(true, false), Contains("--tf32 true needs a GPU of compute capability 8.0 or newer"));
}

TEST_CASE("accelerate's mixed precision decides where --bf16 says nothing") {
  CHECK(choose_dtype(std::nullopt, "bf16", false) == at::kBFloat16);
  CHECK(choose_dtype(false, "bf16", true) == at::kFloat);
  CHECK(choose_dtype(true, "no", false) == at::kBFloat16);
}

TEST_CASE("no mixed precision leaves the choice to the device") {
  CHECK(choose_dtype(std::nullopt, "no", false) == at::kFloat);
  CHECK(choose_dtype(std::nullopt, "no", true) == at::kBFloat16);
  CHECK(choose_dtype(std::nullopt, std::nullopt, true) == at::kBFloat16);
}

TEST_CASE("a precision that the model is not trained in is an error, unless --bf16 overrules it") {
  for (const char* wanted : {"fp16", "fp8", "int4"}) {
    CHECK_THROWS_WITH(choose_dtype(std::nullopt, wanted, true), Catch::Contains(wanted));
    CHECK_THROWS_AS(choose_dtype(std::nullopt, wanted, true), UsageError);
    CHECK(choose_dtype(false, wanted, true) == at::kFloat);
  }
}
