#include "launcher/report/root_cause.hpp"

#include <catch2/catch.hpp>

#include "launcher/output/last_lines.hpp"
#include "launcher/output/printable.hpp"

using namespace mdl;
using namespace mdl::launcher::output;
using namespace mdl::launcher::report;
using Catch::Contains;

namespace {

RootCause some_cause() {
  RootCause cause;
  cause.host = "node7";
  cause.rank = 5;
  cause.local_rank = 1;
  cause.pid = 4711;
  cause.end = "exit code 3";
  cause.ended_ns = 1'700'000'000'500'000'000;
  cause.failed_s = 1'700'000'000;
  cause.stderr_lines = {"one", "two"};
  return cause;
}

}  // namespace

TEST_CASE("a root cause comes back from JSON as it was") {
  RootCause cause = some_cause();
  CHECK(root_cause_from_json(to_json(cause)) == cause);
  cause.message = "ValueError: \"grün\"";
  cause.traceback = {"Traceback:", "\tline 1"};
  cause.hint = "see dmesg";
  cause.error_file = "/logs/error.json";
  cause.log_files = {"/logs/stdout.log", "/logs/stderr.log"};
  cause.exit_code = 127;
  CHECK(root_cause_from_json(to_json(cause)) == cause);
}

TEST_CASE("a root cause says what the other launchers exit with, unless that is 1") {
  RootCause cause = some_cause();
  CHECK_THAT(to_json(cause), !Contains("exit_code"));  // as it was before there was such a key
  CHECK(root_cause_from_json(to_json(cause))->exit_code == kExitFailure);
  cause.exit_code = kExitUsage;
  CHECK(root_cause_from_json(to_json(cause))->exit_code == kExitUsage);
  for (const char* no_failure : {"0", "-1", "256", "1e300", "\"2\"", "99999999999999999999"}) {
    const auto read = root_cause_from_json(std::string(R"({"rank":1,"end":"x","exit_code":)") + no_failure + "}");
    REQUIRE(read);
    CHECK(read->exit_code == kExitFailure);
  }
}

TEST_CASE("however much a worker says, a root cause stays small enough for the others to read") {
  RootCause cause = some_cause();
  cause.host = cause.end = cause.message = cause.error_file = std::string(1 << 20, '"');
  cause.log_files = std::vector<std::string>(9, std::string(1 << 16, '\\'));
  cause.stderr_lines = cause.traceback = std::vector<std::string>(500, std::string(1 << 16, '\\'));
  cause.stderr_lines.push_back("the end");
  const std::string text = to_json(cause);
  CHECK(text.size() <= kLargestRootCause);
  const auto read = root_cause_from_json(text);
  REQUIRE(read);
  CHECK(read->stderr_lines.size() == LastLines::kLines);
  CHECK(read->stderr_lines.back() == "the end");
}

TEST_CASE("what a stranger has put in the place of a root cause does no harm") {
  for (const char* bad : {"", "{", "[]", "{}", "5", "null", R"({"rank": 1})"}) {
    CHECK_FALSE(root_cause_from_json(bad));
  }
  CHECK_FALSE(root_cause_from_json(R"({"rank":1,"end":"x","message":")" + std::string(kLargestRootCause, 'x') + "\"}"));

  const auto odd = root_cause_from_json(
      R"({"rank": "no", "end": ["x"], "pid": -4, "host": 7, "stderr": [1, {}, "real", null], "traceback": "text", "failed_s": 1e99})");
  REQUIRE(odd);
  CHECK(odd->rank == 0);
  CHECK(odd->pid == 0);
  CHECK(odd->stderr_lines == std::vector<std::string>{"real"});
  CHECK(odd->traceback.empty());

  std::string many = R"({"rank":1,"end":"x","stderr":[)";
  for (int i = 0; i < 2000; ++i) { many += "\"line\","; }
  const auto long_list = root_cause_from_json(many + "\"last\"]}");
  REQUIRE(long_list);
  CHECK(long_list->stderr_lines.size() <= 24);
  CHECK(long_list->stderr_lines.back() == "last");
}

TEST_CASE("a root cause cannot draw on another node's terminal") {
  const auto cause = root_cause_from_json(
      R"({"rank":1,"end":"exit\u001b[2Jcode","host":"h\u0007\r\nFAKE","message":"a\u009b31mb","stderr":["\u001b]0;title\u0007","\u001b[31mred\u001b[0m"]})");
  REQUIRE(cause);
  const std::string text = format_root_cause(*cause);
  for (const char* control : {"\x1b", "\x07", "\r", "\xc2\x9b"}) { CHECK_THAT(text, !Contains(control)); }
  CHECK_THAT(text, Contains("exitcode") && Contains("h FAKE") && Contains("a31mb") && Contains("| red"));
}

TEST_CASE("of two failures within a second neither came first") {
  RootCause first = some_cause();
  RootCause second = some_cause();
  CHECK_FALSE(came_before(first, second));
  second.failed_s += 1;
  CHECK(came_before(first, second));
  CHECK_FALSE(came_before(second, first));
}

TEST_CASE("text for a terminal keeps letters and tabs, and loses what is not UTF-8") {
  CHECK(printable("a\tb") == "a\tb");
  CHECK(printable("gr\xc3\xbcn \xe4\xb8\xad \xf0\x9f\x98\x80") == "gr\xc3\xbcn \xe4\xb8\xad \xf0\x9f\x98\x80");
  CHECK(printable("x\xff\xc3y\xe4\xb8") == "xy");
  CHECK(printable("\xed\xa0\x80|\xc0\xaf|\xf4\x90\x80\x80") == "||");
  CHECK(printable("two\nlines") == "two lines");
  CHECK(printable("a\xe2\x80\xae"
                  "b\xe2\x81\xa7"
                  "c\xd8\x9c"
                  "d\xe2\x80\x8e"
                  "e\xe2\x80\x93") == "abcde\xe2\x80\x93");  // as bidi marks would
  CHECK(printable("caf\xc3\xa9", 4) == "caf");
  CHECK(printable("\x1b[").empty());
}
