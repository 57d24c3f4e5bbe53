#include "launcher/process/stop_signals.hpp"

#include <signal.h>

#include <catch2/catch.hpp>
#include <chrono>

#include "common/error.hpp"

using namespace mdl;
using namespace mdl::launcher::process;

namespace {

/// Signals of this process and what came of them.
struct Raised {
  explicit Raised(const std::string& names) : signals(io, names, [this] { ++calls; }) {}
  void raise(int signo) {
    REQUIRE(::raise(signo) == 0);
    const int before = calls;
    while (calls == before) { REQUIRE(io.run_one_for(std::chrono::seconds(20)) == 1); }
  }
  asio::io_context io;
  int calls = 0;
  StopSignals signals;
};

}  // namespace

TEST_CASE("a first signal ends the job in peace, a second one in a hurry") {
  Raised raised("SIGUSR1,SIGUSR2");
  CHECK_FALSE(raised.signals.last());
  raised.raise(SIGUSR1);
  CHECK(raised.signals.last() == SIGUSR1);
  CHECK_FALSE(raised.signals.hurry());
  raised.raise(SIGUSR2);
  CHECK(raised.signals.last() == SIGUSR2);
  CHECK(raised.signals.hurry());
  CHECK(raised.calls == 2);
}

TEST_CASE("while workers are being stopped, one signal is enough to be in a hurry") {
  Raised stopping("SIGUSR1");
  stopping.signals.begin_stopping();
  stopping.raise(SIGUSR1);
  CHECK(stopping.signals.hurry());

  Raised stopped("SIGUSR1");
  stopped.signals.begin_stopping();
  stopped.signals.end_stopping();
  stopped.raise(SIGUSR1);
  CHECK_FALSE(stopped.signals.hurry());
}

TEST_CASE("a terminal that closes says so twice, and is in no hurry") {
  Raised raised("SIGHUP,SIGTERM");
  raised.raise(SIGHUP);
  raised.raise(SIGHUP);
  CHECK(raised.signals.last() == SIGHUP);
  CHECK_FALSE(raised.signals.hurry());
  raised.raise(SIGTERM);
  CHECK(raised.signals.hurry());

  Raised behind_another("SIGHUP,SIGTERM");  // as systemd ends a service with SendSIGHUP=yes
  behind_another.raise(SIGTERM);
  behind_another.signals.begin_stopping();
  behind_another.raise(SIGHUP);
  CHECK_FALSE(behind_another.signals.hurry());
}

TEST_CASE("nohup's wish is kept: an ignored SIGHUP stays ignored") {
  struct sigaction before{};
  struct sigaction ignore{};
  ignore.sa_handler = SIG_IGN;
  REQUIRE(::sigaction(SIGHUP, &ignore, &before) == 0);
  {
    Raised raised("SIGHUP,SIGUSR1");
    REQUIRE(::raise(SIGHUP) == 0);
    raised.raise(SIGUSR1);
    CHECK(raised.signals.last() == SIGUSR1);
    CHECK_FALSE(raised.signals.hurry());
  }
  REQUIRE(::sigaction(SIGHUP, &before, nullptr) == 0);

  Raised raised("SIGHUP");
  raised.raise(SIGHUP);
  CHECK(raised.signals.last() == SIGHUP);
}

TEST_CASE("at the end of the launcher signals do nothing any more, also when nobody listens for them any longer") {
  struct sigaction before{};
  REQUIRE(::sigaction(SIGUSR1, nullptr, &before) == 0);
  {
    Raised raised("SIGUSR1");
    raised.raise(SIGUSR1);
    raised.signals.ignore();
    REQUIRE(::raise(SIGUSR1) == 0);
    CHECK((raised.io.poll() == 0 && raised.calls == 1));
  }
  CHECK(::raise(SIGUSR1) == 0);
  REQUIRE(::sigaction(SIGUSR1, &before, nullptr) == 0);
}

TEST_CASE("a name that is no signal's is an error of the command line") {
  asio::io_context io;
  CHECK_THROWS_AS(StopSignals(io, "SIGNOTHING", [] {}), UsageError);
}
