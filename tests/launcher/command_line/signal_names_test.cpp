#include "launcher/command_line/signal_names.hpp"

#include <signal.h>
#include <string.h>

#include <catch2/catch.hpp>

#include "common/error.hpp"

using namespace mdl;
using namespace mdl::launcher::command_line;

TEST_CASE("signals have their usual names, both ways") {
  CHECK(signal_name(SIGUSR1) == "SIGUSR1");
  CHECK(signal_number("SIGUSR1") == SIGUSR1);
  CHECK(signal_number("TERM") == SIGTERM);
  CHECK(signal_number("sigterm") == SIGTERM);
  CHECK(signal_number("SIGCLD") == SIGCHLD);
  CHECK_FALSE(signal_number("SIG"));
  CHECK_FALSE(signal_number("SIGSIGTERM"));
  CHECK_FALSE(signal_number(""));
  CHECK(parse_signals("SIGTERM, SIGUSR2") == std::vector<int>{SIGTERM, SIGUSR2});
  CHECK(signal_list({SIGTERM, SIGUSR2}) == "SIGTERM,SIGUSR2");
}

TEST_CASE("a word that is no signal, and a signal that nobody can handle, are errors that name it") {
  CHECK_THROWS_WITH(parse_signals("SIGTERM,SIGFOO"), Catch::Contains("SIGFOO"));
  CHECK_THROWS_WITH(parse_signals("SIGKILL"), Catch::Contains("SIGKILL"));
  CHECK_THROWS_AS(parse_signals(""), mdl::UsageError);
}

#if __GLIBC_PREREQ(2, 32)
TEST_CASE("every signal has the name that the C library has for it") {
  for (int signo = 1; signo < 32; ++signo) {
    REQUIRE(::sigabbrev_np(signo));
    CHECK(signal_name(signo) == std::string("SIG") + ::sigabbrev_np(signo));
    CHECK(signal_number(::sigabbrev_np(signo)) == signo);
  }
  CHECK(signal_name(64) == "signal 64");
}
#endif
