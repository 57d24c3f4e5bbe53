#include "common/yaml/yaml_document.hpp"

#include <catch2/catch.hpp>

#include "common/error.hpp"
#include "common/str_cat.hpp"

using namespace mdl;
using namespace mdl::yaml;
using Type = YamlValue::Type;

namespace {

YamlValue parse(const std::string& text) {
  return parse_yaml(text, "f", {.write_anew = "write it anew", .nesting = "It has two levels."});
}

std::string problem_of(const std::string& text) {
  try {
    parse(text);
  } catch (const UsageError& error) { return error.problem(); }
  return {};
}

}  // namespace

TEST_CASE("unquoted scalars have the types that PyYAML gives them") {
  auto [text, type] = GENERATE(table<std::string, Type>({{"no", Type::boolean},
                                                         {"On", Type::boolean},
                                                         {"nO", Type::text},
                                                         {"y", Type::text},
                                                         {"~", Type::null},
                                                         {"", Type::null},
                                                         {"12", Type::integer},
                                                         {"-3", Type::integer},
                                                         {"1_000", Type::integer},
                                                         {"0x1F", Type::integer},
                                                         {"08", Type::text},
                                                         {"1e3", Type::text},
                                                         {"1.5", Type::real},
                                                         {"1.0e+3", Type::real},
                                                         {"10.0.0.1", Type::text},
                                                         {"0,1", Type::text}}));
  CAPTURE(text);
  CHECK(resolve_plain_scalar(text).type == type);
}

TEST_CASE("integers have YAML 1.1's bases") {
  CHECK(resolve_plain_scalar("0x1F").integer == 31);
  CHECK(resolve_plain_scalar("017").integer == 15);
  CHECK(resolve_plain_scalar("0b101").integer == 5);
  CHECK(resolve_plain_scalar("-1_000").integer == -1000);
}

TEST_CASE("a quoted scalar is text") {
  auto root = parse("a: 'no'\nb: \"8\"\n");
  CHECK(root.entries[0].second.type == Type::text);
  CHECK(root.entries[1].second.type == Type::text);
}

TEST_CASE("keys and values know their lines") {
  auto root = parse("# remark\na: 1\n\nsection:\n  b: 2\n");
  CHECK(root.entries[0].second.key_line == 2);
  CHECK(root.entries[1].second.key_line == 4);
  CHECK(root.entries[1].second.entries[0].second.key_line == 5);
}

TEST_CASE("nesting has a limit") {
  CHECK(problem_of("a: 1\nb: " + std::string(100, '[') + std::string(100, ']')) ==
        "f:2: the YAML is nested more than 32 levels deep");
  CHECK(!problem_of("a: " + std::string(100'000, '[')).empty());
  CHECK(!problem_of(std::string(100'000, '{')).empty());
}

TEST_CASE("a few lines of aliases do not become millions of values") {
  std::string bomb = "a0: [x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    bomb += str_cat("a", i, ": &l", i, " [");
    for (int j = 0; j < 9; ++j) { bomb += str_cat(j ? ", " : "", i == 1 ? "x" : str_cat("*l", i - 1)); }
    bomb += "]\n";
  }
  CHECK(problem_of(bomb) == "f:2: the YAML has more than 10000 values (those that an alias repeats count each time)");
}

TEST_CASE("a second document in a file is not passed over") {
  CHECK(problem_of("a: 1\n---\nb: 2\n") == "f:3: a second document begins");
  CHECK(problem_of("---\na: 1\n...\n").empty());
  CHECK(problem_of("") == "f: the file holds no `key: value` lines");
}

TEST_CASE("a file is of a configuration's size") {
  CHECK(problem_of("a: " + std::string(1 << 20, 'x')) == "f: the file has more than 1048576 bytes");
}
