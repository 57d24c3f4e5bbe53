#include "launcher/accelerate/yaml_document.hpp"

#include <catch2/catch.hpp>

#include "common/error.hpp"

using namespace mdl;
using namespace mdl::launcher::accelerate;
using Type = YamlValue::Type;

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
  auto root = parse_yaml("a: 'no'\nb: \"8\"\n", "f");
  CHECK(root.entries[0].second.type == Type::text);
  CHECK(root.entries[1].second.type == Type::text);
}

TEST_CASE("keys and values know their lines") {
  auto root = parse_yaml("# remark\na: 1\n\nsection:\n  b: 2\n", "f");
  CHECK(root.entries[0].second.key_line == 2);
  CHECK(root.entries[1].second.key_line == 4);
  CHECK(root.entries[1].second.entries[0].second.key_line == 5);
}

TEST_CASE("nesting has a limit") {
  std::string deep = "a: " + std::string(100, '[') + std::string(100, ']');
  CHECK_THROWS_AS(parse_yaml(deep, "f"), mdl::UsageError);
}
