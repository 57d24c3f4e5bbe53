#include "common/error.hpp"

#include <catch2/catch.hpp>
#include <exception>
#include <future>

using mdl::Error;
using mdl::UsageError;

TEST_CASE("an error keeps its problem and its advice apart, and prints both") {
  const Error error("cannot open /x:\n  no such file", "Create it.");
  CHECK(error.problem() == "cannot open /x:\n  no such file");
  CHECK(error.advice() == "Create it.");
  CHECK(std::string(error.what()) == "cannot open /x:\n  no such file\n  Create it.");
  const Error without("cannot open /x");
  CHECK(without.problem() == without.what());
  CHECK(without.advice().empty());
}

TEST_CASE("a copy of an error, through a base, a pointer or a future, has its texts and its exit code") {
  const auto whole = [](const Error& error) {
    return error.exit_code() == mdl::kExitUsage && error.problem() == "problem" && error.advice() == "advice";
  };
  const UsageError original("problem", "advice");
  const Error sliced = original;  // NOLINT(cppcoreguidelines-slicing): what is passed on as an Error loses nothing
  CHECK(whole(sliced));

  const std::exception_ptr pointer = std::make_exception_ptr(original);
  try {
    std::rethrow_exception(pointer);
  } catch (const Error& error) { CHECK(whole(error)); }

  std::promise<void> promise;
  promise.set_exception(pointer);
  try {
    promise.get_future().get();
  } catch (const Error& error) { CHECK(whole(error)); }
}
