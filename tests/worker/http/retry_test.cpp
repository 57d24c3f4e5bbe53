#include "worker/http/retry.hpp"

#include <catch2/catch.hpp>

using namespace mdl::worker::http;
using namespace std::chrono_literals;

namespace {

Failure failure(bool may_pass, std::optional<std::chrono::seconds> asked = std::nullopt) {
  return {.kind = Failure::Kind::cut, .reason = "cut", .url = "", .may_pass = may_pass, .retry_after = asked};
}

}  // namespace

TEST_CASE("attempts without progress are counted, and pauses double") {
  Retry retry({.attempts = 4, .first_pause = 100ms, .longest_pause = 300ms});
  CHECK(retry.next(failure(true), false) == 100ms);
  CHECK(retry.next(failure(true), false) == 200ms);
  CHECK(retry.next(failure(true), false) == 300ms);
  CHECK_FALSE(retry.next(failure(true), false));
}

TEST_CASE("progress begins the count anew") {
  Retry retry({.attempts = 2, .first_pause = 100ms});
  for (int i = 0; i < 100; ++i) { CHECK(retry.next(failure(true), true) == 100ms); }
  CHECK_FALSE(retry.next(failure(true), false));
}

TEST_CASE("what cannot pass is not tried again") {
  CHECK_FALSE(Retry().next(failure(false), true));
}

TEST_CASE("a server's wish counts before our pauses, up to a limit") {
  Retry retry({.attempts = 5, .longest_asked = 60s});
  CHECK(retry.next(failure(true, 60s), false) == 60s);
  CHECK(retry.next(failure(true, 0s), false) == 0ms);
  CHECK_FALSE(retry.next(failure(true, 61s), false));
}
