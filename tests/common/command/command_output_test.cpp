#include "common/command/command_output.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>

using namespace mdl::command;
using namespace std::chrono_literals;

TEST_CASE("a command's output is bounded in time") {
  CHECK(output_of({"echo", "hello"}, 10s) == "hello\n");
  CHECK_FALSE(output_of({"false"}, 10s));
  CHECK_FALSE(output_of({"/nowhere/program"}, 10s));
  auto start = std::chrono::steady_clock::now();
  CHECK_FALSE(output_of({"sleep", "60"}, 50ms));
  CHECK(std::chrono::steady_clock::now() - start < 30s);
}

TEST_CASE("a command that writes without end or closes its output is killed") {
  const auto start = std::chrono::steady_clock::now();
  CHECK_FALSE(output_of({"yes", "/x"}, 60s));
  CHECK_FALSE(output_of({"sh", "-c", "exec >&-; exec sleep 120"}, 50ms));
  CHECK(output_of({"sh", "-c", "echo hello; exec >&-; exec sleep 0.05"}, 60s) == "hello\n");
  CHECK_FALSE(output_of({"sh", "-c", "echo hello; exec >&-; exit 3"}, 60s));
  CHECK(std::chrono::steady_clock::now() - start < 50s);
}

TEST_CASE("a command gets variables of its own beside those of this process") {
  ::setenv("MDL_TEST_VARIABLE", "old", 1);
  ::setenv("MDL_TEST_VARIABLE_2", "kept", 1);
  CHECK(output_of({"sh", "-c", "echo $MDL_TEST_VARIABLE $MDL_TEST_VARIABLE_2"}, 10s, {"MDL_TEST_VARIABLE=new"}) ==
        "new kept\n");
  CHECK(output_of({"sh", "-c", "echo $MDL_TEST_VARIABLE"}, 10s) == "old\n");
}
