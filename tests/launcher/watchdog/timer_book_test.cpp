#include "launcher/watchdog/timer_book.hpp"

#include <catch2/catch.hpp>

using namespace mdl;
using namespace mdl::launcher::watchdog;
using namespace std::chrono_literals;

namespace {

const TimerBook::Time kNow{1h};
constexpr double kNowSeconds = 1.7e9;

TimerRequest timer(std::int64_t pid, const std::string& scope, double seconds_from_now, int signal = 9) {
  return {pid, scope, kNowSeconds + seconds_from_now, signal};
}
TimerRequest release(std::int64_t pid, const std::string& scope) {
  return {pid, scope, -1, 0};
}

}  // namespace

TEST_CASE("a line of torch's client is understood, and what is no timer is not") {
  const auto request = parse_timer_request(
      R"({"version": 1, "pid": 42, "scope_id": "/a/train.py#7", "expiration_time": 1764297000.5, "signal": 9})");
  REQUIRE(request);
  CHECK(request->pid == 42);
  CHECK(request->scope == "/a/train.py#7");
  CHECK(request->expiration_time == 1764297000.5);
  CHECK(request->signal == 9);
  const auto never = parse_timer_request(R"({"pid": 42, "scope_id": "s", "expiration_time": Infinity, "signal": 9})");
  REQUIRE(never);
  CHECK(never->expiration_time > 1e300);
  CHECK(parse_timer_request(R"({"pid": 42, "scope_id": "s", "expiration_time": 1, "signal": -7})")->signal == 0);
  for (const char* wrong :
       {"", "{}", "null", "[]", "{", R"({"pid": 0, "scope_id": "s", "expiration_time": 1, "signal": 9})",
        R"({"pid": 4294967297, "scope_id": "s", "expiration_time": 1, "signal": 9})",
        R"({"pid": 1.5, "scope_id": "s", "expiration_time": 1, "signal": 9})",
        R"({"pid": 42, "scope_id": 3, "expiration_time": 1, "signal": 9})",
        R"({"pid": 42, "scope_id": "s", "expiration_time": "soon", "signal": 9})",
        R"({"pid": 42, "scope_id": "s", "expiration_time": NaN, "signal": 9})",
        R"({"pid": 42, "scope_id": "s", "expiration_time": 1, "signal": 99})"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_timer_request(wrong));
  }
}

TEST_CASE("a pipe's bytes become lines wherever they are cut, and a line that is too long is passed over") {
  RequestLines lines;
  std::vector<std::string> taken;
  const auto feed = [&](const std::string& bytes) {
    return lines.feed(bytes, [&](std::string_view line) { taken.emplace_back(line); });
  };
  CHECK(feed("on") == 0);
  CHECK(feed("e\ntwo\n\nth") == 0);
  CHECK(feed(std::string(RequestLines::kLongest, 'x')) == 0);
  CHECK(lines.held() == 0);
  CHECK(feed("still the same\nfour") == 1);
  CHECK(feed("\n" + std::string(RequestLines::kLongest, 'y') + "\n") == 0);
  CHECK(taken == std::vector<std::string>{"one", "two", "", "four", std::string(RequestLines::kLongest, 'y')});
}

TEST_CASE("a timer expires at its time, unless it was released or started anew") {
  TimerBook book;
  CHECK_FALSE(book.next());
  CHECK(book.take(timer(42, "a", 5), 1, kNow, kNowSeconds));
  CHECK(book.take(timer(43, "b", 7), 1, kNow, kNowSeconds));
  CHECK(book.take(timer(44, "c", 6), 1, kNow, kNowSeconds));
  CHECK(book.next() == kNow + 5s);
  CHECK(book.take(timer(42, "a", 9), 1, kNow, kNowSeconds));
  CHECK(book.take(release(44, "c"), 1, kNow, kNowSeconds));
  CHECK(book.next() == kNow + 7s);
  CHECK(book.take_expired(kNow + 6s).empty());
  const auto expired = book.take_expired(kNow + 7s);
  REQUIRE(expired.size() == 1);
  CHECK(expired[0].pid == 43);
  CHECK(expired[0].signal == 9);
  CHECK(book.next() == kNow + 9s);
  CHECK(book.take(timer(45, "past", -100), 1, kNow, kNowSeconds));
  CHECK(book.take_expired(kNow).size() == 1);
}

TEST_CASE("of several expired timers of a process the earliest with a signal counts, and all of its timers are gone") {
  TimerBook book;
  book.take(timer(42, "first, without a signal", 1, 0), 1, kNow, kNowSeconds);
  book.take(timer(42, "third", 3, 10), 1, kNow, kNowSeconds);
  book.take(timer(42, "second", 2, 15), 1, kNow, kNowSeconds);
  book.take(timer(42, "later", 100, 9), 1, kNow, kNowSeconds);
  book.take(timer(43, "of another", 100, 9), 1, kNow, kNowSeconds);
  const auto expired = book.take_expired(kNow + 3s);
  REQUIRE(expired.size() == 1);
  CHECK(expired[0].signal == 15);
  CHECK(expired[0].scopes.size() == 3);
  CHECK(book.size() == 1);
}

TEST_CASE("the timers of a process that has ended are not those of the next one with its pid") {
  TimerBook book;
  book.take(timer(42, "of the first", 1), 100, kNow, kNowSeconds);
  book.take(timer(42, "of the second", 2), 200, kNow, kNowSeconds);
  CHECK(book.take_expired(kNow + 1s).empty());
  const auto expired = book.take_expired(kNow + 2s);
  REQUIRE(expired.size() == 1);
  CHECK(expired[0].process_start == 200);
}

TEST_CASE("one timer too many is refused, and the others stay") {
  TimerBook book;
  for (std::size_t i = 0; i < TimerBook::kMost; ++i) {
    REQUIRE(book.take(timer(42, std::to_string(i), 5), 1, kNow, kNowSeconds));
  }
  CHECK_FALSE(book.take(timer(42, "one more", 5), 1, kNow, kNowSeconds));
  CHECK(book.take(timer(42, "7", 6), 1, kNow, kNowSeconds));
  CHECK(book.take(release(42, "8"), 1, kNow, kNowSeconds));
  CHECK(book.take(timer(42, "one more", 5), 1, kNow, kNowSeconds));
}
