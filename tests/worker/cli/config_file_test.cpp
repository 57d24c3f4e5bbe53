#include "worker/cli/config_file.hpp"

#include <catch2/catch.hpp>
#include <fstream>

#include "common/error.hpp"
#include "tests/temp_dir.hpp"
#include "worker/cli/command_line.hpp"
#include "worker/cli/option_values.hpp"
#include "worker/cli/printed_config.hpp"

using namespace mdl;
using namespace mdl::worker::cli;
using Catch::Contains;
using Texts = std::vector<std::string>;

namespace {

constexpr OptionText kOptions[] = {
    {.name = "data", .help = "the data (required)", .takes = kPath, .section = "Data"},
    {.name = "lr", .help = "the rate", .fallback = "1e-4", .also = "learning-rate", .section = "Steps"},
    {.name = "merge-lora", .help = "whether", .fallback = "true", .takes = kTrueOrFalse},
    {.name = "train-target", .help = "what", .fallback = "encoder", .takes = kList},
    {.name = "scheduler-kwargs", .help = "more", .takes = kJsonObject},
    {.name = "prompt", .help = "words (none)"},
};
constexpr OtherWay kOtherWays[] = {{"fp16", "Write --bf16 true."}};
constexpr CommandSyntax kSyntax{.name = "train", .options = kOptions, .other_ways = kOtherWays, .standing = "input"};

/// A folder with a configuration file.
class ConfigFile {
 public:
  explicit ConfigFile(const std::string& text, const std::string& name = "run.yaml") : path_(folder_.path() / name) {
    std::ofstream(path_, std::ios::binary) << text;
  }

  GivenOptions parse(Texts arguments = {}) const {
    arguments.insert(arguments.end(), {"--config", path_.string()});
    return parse_command_line(kSyntax, arguments);
  }

  /// The error's problem, with "F" for the file's path.
  std::string problem(const Texts& arguments = {}) const {
    try {
      const GivenOptions given = parse(arguments);
      with_places(given, [&] {
        double rate = 0;
        OptionValues(given).number_from("lr", 0, rate);
        OptionValues(given).list("train-target");
      });
    } catch (const UsageError& error) {
      const std::string text = error.problem() + " | " + error.advice();
      const auto at = text.find(path_.string());
      return at == std::string::npos ? text : text.substr(0, at) + "F" + text.substr(at + path_.string().size());
    }
    return "no error";
  }

 private:
  test::TempDir folder_;
  std::filesystem::path path_;
};

}  // namespace

TEST_CASE("a configuration file has a command line's options, and the command line's hold") {
  const ConfigFile file(
      "learning_rate: 2e-4  # a remark\nmerge-lora: no\ntrain_target: [encoder, decoder]\n"
      "scheduler-kwargs: {min_lr: 1e-5, power: 2, name: '3', flag: true}\nprompt: \"say: it\"\n"
      "data: null\ninput: clips.csv\n");
  const GivenOptions given = file.parse({"--lr", "3e-4"});
  CHECK(given.values("lr") == Texts{"3e-4"});
  CHECK(given.values("merge-lora") == Texts{"no"});
  CHECK(given.values("train-target") == Texts{"encoder", "decoder"});
  CHECK(given.values("scheduler-kwargs") == Texts{R"({"flag":true,"min_lr":1e-05,"name":"3","power":2})"});
  CHECK(given.values("prompt") == Texts{"say: it"});
  CHECK_FALSE(given.has("data"));
  CHECK(given.standing() == Texts{"clips.csv"});
  CHECK(file.parse({"other.csv"}).standing() == Texts{"other.csv"});
  CHECK(file.parse().values("lr") == Texts{"2e-4"});
  CHECK(file.parse({"--train-target", "projector"}).values("train-target") == Texts{"projector"});
}

TEST_CASE("a configuration file may be JSON") {
  const ConfigFile file(
      "{\n\t\"lr\": 1e-3,\n\t\"merge_lora\": false,\n\t\"train_target\": [\"decoder\"],\n"
      "\t\"prompt\": \"gr\\u00fcn \\ud83d\\ude00 \\\\ud83d\\\\ude00\"\n}\n",
      "run.json");
  const GivenOptions given = file.parse();
  CHECK(given.values("lr") == Texts{"1e-3"});
  CHECK(given.values("merge-lora") == Texts{"false"});
  CHECK(given.values("train-target") == Texts{"decoder"});
  CHECK(given.values("prompt") == Texts{"grün 😀 \\ud83d\\ude00"});
}

TEST_CASE("whatever is wrong in a configuration file is told with its line") {
  const auto [text, problem] = GENERATE(table<std::string, std::string>({
      {"\n\nlearning_rte: 1",
       "F:3: unknown option learning_rte | Did you mean learning-rate? Try: mdl-toolkit train --help"},
      {"fp16: true", "F:1: unknown option fp16 | Write --bf16 true. Try: mdl-toolkit train --help"},
      {"# x\nlr: fast", "F:2: --lr fast: expected a number | "},
      {"lr: -1", "F:1: --lr -1: expected a number from 0 | "},
      {"merge-lora: maybe",
       "F:1: --merge-lora needs true or false, but maybe follows it | "
       "Write --merge-lora true or --merge-lora false."},
      {"a: 1", "F:1: unknown option a | Try: mdl-toolkit train --help"},
      {"lr: [1, 2]", "F:1: lr takes a value, not a list | Try: mdl-toolkit train --help"},
      {"merge-lora:\n  x: 1", "F:2: merge-lora takes true or false, not a section | Try: mdl-toolkit train --help"},
      {"train-target:\n- encoder\n- [a]",
       "F:3: train-target takes one value in each place, not a list | Try: mdl-toolkit train --help"},
      {"lr: 1\nlr: 2", "F:2: lr stands there a second time | Which of its values is meant? Leave one line."},
      {"lr: 1\n\nlearning-rate: 2",
       "F:3: learning-rate is the same option as in line 1 | Which of its values is meant? Leave one line."},
      {"input: [a]", "F:1: input takes a value, not a list | Try: mdl-toolkit train --help"},
  }));
  CAPTURE(text);
  CHECK(ConfigFile(text).problem() == problem);
}

TEST_CASE("a wrong value that the command line replaces is none") {
  CHECK(ConfigFile("lr: fast").problem({"--lr", "1"}) == "no error");
  CHECK(ConfigFile("lr: 1").problem({"--lr", "fast"}) == "--lr fast: expected a number | ");
}

TEST_CASE("what is no configuration file is told") {
  CHECK_THAT(ConfigFile("just words").problem(), Contains("F: the file holds no `key: value` lines"));
  CHECK_THAT(ConfigFile("a: b: c").problem(), Contains("F:1:5: this is not YAML"));
  CHECK_THAT(ConfigFile(std::string(2 << 20, ' ')).problem(), Contains("the file has 2097152 bytes"));
  CHECK_THAT(ConfigFile("lr: " + std::string(200, '[')).problem(), Contains("F:1"));
  CHECK_THROWS_WITH(parse_command_line(kSyntax, {"--config", "/nowhere/x.yaml"}), Contains("/nowhere/x.yaml"));
  CHECK_THROWS_WITH(parse_command_line(kSyntax, {"--config", "a", "--config", "b"}), Contains("twice"));
  CHECK_THROWS_WITH(parse_command_line(kSyntax, {"--config"}), Contains("--config needs"));
}

TEST_CASE("other spellings of an option are the same option") {
  const GivenOptions given =
      parse_command_line(kSyntax, {"--learning_rate", "1", "--train_target=a_b", "--merge_lora=false", "x_y"});
  CHECK(given.values("lr") == Texts{"1"});
  CHECK(given.values("train-target") == Texts{"a_b"});
  CHECK(given.values("merge-lora") == Texts{"false"});
  CHECK(given.standing() == Texts{"x_y"});
}

TEST_CASE("printed options are a file that means the same") {
  const Texts arguments = {"--lr",           "1",     "--train-target", "a,b",
                           "--train-target", "c d",   "--prompt",       "say: \"it\"\n# no",
                           "--data",         "there", "in.csv"};
  const GivenOptions given = parse_command_line(kSyntax, arguments);
  const std::string text = printed_config(kSyntax, given);
  const GivenOptions again = ConfigFile(text).parse();
  const auto here = std::filesystem::current_path();
  CHECK(again.values("lr") == given.values("lr"));
  CHECK(again.values("prompt") == given.values("prompt"));
  CHECK(again.values("train-target") == given.values("train-target"));
  CHECK(again.values("data") == Texts{(here / "there").string()});
  CHECK(again.standing() == Texts{"in.csv"});  // no such file here, so it may be a name
  CHECK_FALSE(again.has("merge-lora"));
  CHECK_THAT(text, Contains("\n# merge-lora: true\n") && Contains("\n# Steps\nlr: 1\n"));
  CHECK(printed_config(kSyntax, again) == text);
}

TEST_CASE("where only the options are to be printed nothing is required") {
  const GivenOptions given = parse_command_line(kSyntax, {"--print-config"});
  CHECK(given.prints_config());
  CHECK(OptionValues(given).required_path("data").empty());
  CHECK(standing_argument(given, "train", "file").empty());
}
