#include "launcher/command_line/template_string.hpp"

#include <catch2/catch.hpp>

using mdl::launcher::command_line::substitute_template;

// tests/peer/launch/test_launch_env.py compares with torchrun's own.
TEST_CASE("templates are replaced as Python's string.Template does it") {
  const auto fill = [](const char* text) { return substitute_template(text, {{"local_rank", "3"}}); };
  CHECK(fill("--rank=${local_rank}") == "--rank=3");
  CHECK(fill("$local_rank/x") == "3/x");
  CHECK(fill("$local_rank_") == "$local_rank_");
  CHECK(fill("${other} $HOME $1 $") == "${other} $HOME $1 $");
  CHECK(fill("cost $$5 $${local_rank}") == "cost $5 ${local_rank}");
  CHECK(fill("${local_rank") == "${local_rank");
  CHECK(fill("") == "");
}
