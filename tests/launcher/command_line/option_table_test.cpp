#include "launcher/command_line/option_table.hpp"

#include <catch2/catch.hpp>
#include <sstream>

#include "common/error.hpp"
#include "launcher/command_line/option_parser.hpp"

using namespace mdl;
using namespace mdl::launcher::command_line;
using Catch::Contains;
using Words = std::vector<std::string>;

namespace {

const OptionTable& other_table() {
  static const OptionTable table("mdl-launch other", {{"Options", {{"lang", "en|zh", ""}}}});
  return table;
}

const OptionTable& table() {
  static const OptionTable all(
      "mdl-launch some",
      {{"First",
        {{"node-rank", "N", "rank of this node, in words that do not fit into one line", 'n'},
         {"node-count", "N", "number of nodes"},
         {"dry-run", "", "start nothing"}}},
       {"Others", {{"node-roll-call-in-full", "TEXT", "long", 0, true}, {"engine-", "N", "a family", 0, true, true}}}},
      {other_table});
  return all;
}

}  // namespace

TEST_CASE("an option is spelt with - or _, with a space or =, by its letter or by a unique beginning") {
  for (const Words& words :
       {Words{"--node-rank", "4"}, {"--node_rank=4"}, {"-n4"}, {"-n", "4"}, {"-n=4"}, {"--node-ra", "4"}}) {
    const auto parsed = parse_arguments(words, table());
    REQUIRE(parsed.find("node-rank"));
    CHECK(parsed.find("node-rank")->value == "4");
    CHECK(parsed.options.front().end == words.size());
  }
  CHECK_THROWS_WITH(parse_arguments({"--node", "4"}, table()),
                    Contains("ambiguous") && Contains("--node-rank, --node-count"));
  CHECK_THROWS_WITH(parse_arguments({"--node-roll", "x"}, table()), Contains("unknown option --node-roll"));
  CHECK(parse_arguments({"--engine_stage", "3"}, table()).find("engine-"));
}

TEST_CASE("an unknown option names the nearest of its own command, else one of another's") {
  CHECK_THROWS_WITH(parse_arguments({"--ndoe_rank=3"}, table()),
                    Contains("unknown option --ndoe_rank") && Contains("Did you mean --node-rank?"));
  CHECK_THROWS_WITH(parse_arguments({"--langg"}, table()),
                    Contains("Did you mean --lang, an option of mdl-launch other? mdl-launch some --help"));
  CHECK_THROWS_WITH(parse_arguments({"-z"}, table()), Contains("unknown option -z") && !Contains("Did you mean"));
  CHECK_THROWS_WITH(parse_arguments({"--enginne-"}, table()), !Contains("Did you mean"));
}

TEST_CASE("the last of an option counts, and unknown ones may be skipped") {
  const auto parsed =
      parse_arguments({"--what", "-n1", "--node-rank=2", "program", "-n3"}, table(), UnknownOption::skip);
  CHECK(parsed.find("node-rank")->value == "2");
  CHECK(parsed.program == Words{"program", "-n3"});
  CHECK(parsed.program_begin == 3);
}

TEST_CASE("a command without a program refuses words that belong to no option") {
  CHECK_THROWS_WITH(parse_options_only({"--dry-run", "defualt"}, table(), {"default"}),
                    Contains("\"defualt\"") && Contains("Did you mean default?"));
  CHECK(parse_options_only({"--dry-run"}, table()).find("dry-run"));
}

TEST_CASE("the help is as wide as it may be, and shows what is not hidden") {
  for (const std::size_t width : {60u, 80u, 120u}) {
    const std::string help = table().help(width);
    CHECK_THAT(help, Contains("-n, --node-rank N") && Contains("Others:") && !Contains("engine"));
    std::istringstream lines(help);
    for (std::string line; std::getline(lines, line);) { CHECK(line.size() <= width); }
  }
}

TEST_CASE("the words between bars in a value's name are known values, and placeholders are none") {
  const auto known = [](const char* value) { return Option{"name", value, ""}.known_values(); };
  CHECK(known("N|gpu|cpu|auto") == Words{"gpu", "cpu", "auto"});
  CHECK(known("static|c10d") == Words{"static", "c10d"});
  CHECK(known("all|0,1,...") == Words{"all"});
  CHECK(known("0-3|RANK:0-3,...").empty());
  CHECK(known("").empty());
  CHECK(Option{"name", "MODE", "", 0, false, false, {"node"}}.known_values() == Words{"node"});
}
