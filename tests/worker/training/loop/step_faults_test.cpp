#include "worker/training/loop/step_faults.hpp"

#include <c10/util/Exception.h>

#include <catch2/catch.hpp>

#include "common/error.hpp"

using namespace mdl;
using namespace mdl::worker::training::loop;

namespace {

[[noreturn]] void run_out_of_memory() {
  C10_THROW_ERROR(OutOfMemoryError, "CUDA out of memory. Tried to allocate 20.00 GiB.");
}

std::string advice_of(const MemoryAdvice& advice) {
  try {
    explain_failures(7, "rows 3, 5 of train", [] { run_out_of_memory(); }, advice);
  } catch (const Error& error) {
    CHECK(error.problem() ==
          "step 7, rows 3, 5 of train: out of memory: CUDA out of memory. Tried to allocate 20.00 GiB.");
    return error.advice();
  }
  return "nothing was thrown";
}

}  // namespace

TEST_CASE("a step that runs out of memory tells what would fit, where that is known") {
  CHECK(advice_of([] { return std::string("--batch-size 4 takes 15.20 GiB"); }) == "--batch-size 4 takes 15.20 GiB");
  CHECK(advice_of({}).starts_with("A smaller --batch-size needs less"));
}
