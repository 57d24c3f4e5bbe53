#include "worker/distributed/shared_work.hpp"

#include <array>
#include <catch2/catch.hpp>
#include <optional>
#include <string>

#include "common/error.hpp"
#include "tests/worker/distributed/two_ranks.hpp"

using namespace mdl;
using namespace mdl::worker::distributed;

namespace {

using Failures = std::array<std::optional<Error>, 2>;

/// What two ranks throw that do `work` together.
Failures failures_of(const std::function<void(ProcessGroup&)>& work) {
  Failures failures;
  on_two_ranks([&](ProcessGroup& group) {
    try {
      work(group);
    } catch (const Error& error) { failures.at(static_cast<std::size_t>(group.rank())) = error; }
  });
  return failures;
}

}  // namespace

TEST_CASE("every rank gets what rank 0's work came to") {
  std::array<std::string, 2> texts;
  on_two_ranks([&](ProcessGroup& group) {
    const auto rank = static_cast<std::size_t>(group.rank());
    texts.at(rank) = share_work(group, "work", [&] { return "of rank " + std::to_string(rank); });
    finish_work(group, "more work", [] {});
  });
  CHECK(texts == std::array<std::string, 2>{"of rank 0", "of rank 0"});
}

TEST_CASE("what rank 0 fails with ends every rank, with its problem, advice and exit code") {
  const auto full_disk = failures_of([](ProcessGroup& group) {
    share_work(group, "start",
               []() -> std::string { throw Error("write /x\xff: No space left on device", "Make room."); });
  });
  const auto wrong_option = failures_of([](ProcessGroup& group) {
    share_work(group, "start", []() -> std::string { throw UsageError("--lr is 1 there and 2 here"); });
  });
  for (std::size_t rank = 0; rank < 2; ++rank) {
    REQUIRE(full_disk.at(rank));
    CHECK(full_disk.at(rank)->problem() == "write /x\xff: No space left on device");
    CHECK(full_disk.at(rank)->advice() == "Make room.");
    CHECK(full_disk.at(rank)->exit_code() == kExitFailure);
    REQUIRE(wrong_option.at(rank));
    CHECK(wrong_option.at(rank)->problem() == "--lr is 1 there and 2 here");
    CHECK(wrong_option.at(rank)->advice().empty());
    CHECK(wrong_option.at(rank)->exit_code() == kExitUsage);
  }
}

TEST_CASE("an exception without words of ours ends every rank too") {
  const auto failures = failures_of(
      [](ProcessGroup& group) { share_work(group, "start", []() -> std::string { throw std::bad_alloc(); }); });
  REQUIRE(failures[1]);
  CHECK_THAT(failures[1]->problem(), Catch::StartsWith("out of memory"));
  CHECK(failures[1]->exit_code() == kExitFailure);
}

TEST_CASE("what another rank fails with ends rank 0 as well") {
  const auto failures = failures_of([](ProcessGroup& group) {
    finish_work(group, "convert", [&] {
      if (!group.is_first()) { throw Error("no room on host 2"); }
    });
  });
  for (const auto& failure : failures) {
    REQUIRE(failure);
    CHECK(failure->problem() == "no room on host 2");
    CHECK(failure->exit_code() == kExitFailure);
  }
}
