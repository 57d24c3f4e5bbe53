#include "launcher/command_line/health_command.hpp"

#include <catch2/catch.hpp>

#include "common/error.hpp"

using namespace mdl;
using namespace mdl::launcher::command_line;
using Catch::Contains;
using Words = std::vector<std::string>;

namespace {

Words split(const std::string& text) {
  return split_command("--health-command", text);
}

std::string refusal(const std::string& text) {
  try {
    split(text);
  } catch (const UsageError& error) { return error.what(); }
  return {};
}

}  // namespace

TEST_CASE("a health command is divided into words as a shell divides it") {
  CHECK(split("gpu-check") == Words{"gpu-check"});
  CHECK(split("  ./check  --gpus 8\t-v\n") == Words{"./check", "--gpus", "8", "-v"});
  CHECK(split("sh -c 'nvidia-smi | grep \"x y\" > $OUT'") == Words{"sh", "-c", "nvidia-smi | grep \"x y\" > $OUT"});
  CHECK(split(R"(a "b \"c\" \\ \$d 'e' \n" f\ g h''i '' "")") ==
        Words{"a", R"(b "c" \ $d 'e' \n)", "f g", "hi", "", ""});
  CHECK(split("a~b x=~") == Words{"a~b", "x=~"});
}

TEST_CASE("what only a shell could do with a health command is refused, with what to write") {
  for (const std::string text : {"a | b", "a; b", "a && b", "a > b", "a < b", "a $HOME", "a `b`", "a (b)", "a *", "a ?",
                                 "a [b]", "~/check", "a \"$HOME\"", "a \"`b`\""}) {
    INFO(text);
    CHECK_THAT(refusal(text), Contains("--health-command") && Contains("sh -c 'COMMAND'"));
  }
  CHECK_THAT(refusal("a 'b"), Contains("without its other one"));
  CHECK_THAT(refusal("a \"b"), Contains("without its other one"));
  CHECK_THAT(refusal("a \\"), Contains("ends with a \\"));
  CHECK_THAT(refusal(" "), Contains("is empty"));
}

TEST_CASE("the program of a health command is found in PATH before anything is started") {
  const Environment path = [](const std::string& name) {
    return name == "PATH" ? std::optional<std::string>("/nowhere:/bin") : std::nullopt;
  };
  const HealthCommand command = plan_health_command("sh -c 'exit 1'", path);
  CHECK(command.executable == "/bin/sh");
  CHECK(command.argv == Words{"sh", "-c", "exit 1"});
  CHECK(command.text == "sh -c 'exit 1'");
  try {
    plan_health_command("no-such-check", path);
    FAIL("found");
  } catch (const Error& error) {
    CHECK(error.exit_code() == 127);
    CHECK_THAT(error.what(), Contains("no-such-check") && Contains("--health-command"));
  }
  try {
    plan_health_command("/etc/passwd", path);
    FAIL("found");
  } catch (const Error& error) {
    CHECK(error.exit_code() == 126);
    CHECK_THAT(error.what(), Contains("/etc/passwd") && !Contains("--no-python"));
  }
}
