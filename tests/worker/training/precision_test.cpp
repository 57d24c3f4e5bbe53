#include <catch2/catch.hpp>

#include "common/error.hpp"
#include "worker/training/precision.hpp"

using namespace mdl;
using namespace mdl::worker::training;

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
