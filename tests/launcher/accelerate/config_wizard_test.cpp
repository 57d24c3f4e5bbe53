#include "launcher/accelerate/config_wizard.hpp"

#include <catch2/catch.hpp>
#include <deque>

#include "common/error.hpp"

using namespace mdl;
using namespace mdl::launcher::accelerate;
using Catch::Contains;

namespace {

/// Answers from a list, and remembers what was asked and told.
class ScriptedPrompter : public Prompter {
 public:
  explicit ScriptedPrompter(std::deque<std::string> answers) : answers_(std::move(answers)) {}

  size_t choose(const std::string& question, const std::vector<std::string>& options, size_t preset) override {
    std::string answer = ask(question);
    if (answer.empty()) { return preset; }
    size_t index = std::stoul(answer);
    REQUIRE(index < options.size());
    return index;
  }
  std::string ask(const std::string& question) override {
    INFO(question);
    asked.push_back(question);
    REQUIRE_FALSE(answers_.empty());
    std::string answer = answers_.front();
    answers_.pop_front();
    return answer;
  }
  void tell(const std::string& text) override { told += text + "\n"; }

  std::vector<std::string> asked;
  std::string told;

 private:
  std::deque<std::string> answers_;
};

}  // namespace

TEST_CASE("the answers of one process on the CPU make accelerate's file") {
  ScriptedPrompter prompter({"", "", "yes", "", "", ""});
  auto content = ask_configuration(prompter, Language::english, 0);
  CHECK(to_yaml(content) ==
        "compute_environment: LOCAL_MACHINE\ndebug: false\ndistributed_type: 'NO'\ndowncast_bf16: "
        "'no'\nenable_cpu_affinity: false\n"
        "machine_rank: 0\nmain_training_function: main\nmixed_precision: 'no'\nnum_machines: 1\nnum_processes: "
        "1\nrdzv_backend: static\n"
        "same_network: true\ntpu_env: []\ntpu_use_cluster: false\ntpu_use_sudo: false\nuse_cpu: true\n");
}

TEST_CASE("choices that need a Python engine lead back to their question") {
  auto [answers, word] =
      GENERATE(table<std::deque<std::string>, std::string>({{{"1", "", "", "yes", "", "", ""}, "SageMaker"},
                                                            {{"", "3", "", "yes", "", "", ""}, "multi-HPU"},
                                                            {{"", "", "yes", "", "yes", "no", ""}, "DeepSpeed"},
                                                            {{"", "", "yes", "", "", "3", "0"}, "fp8"}}));
  ScriptedPrompter prompter(answers);
  ask_configuration(prompter, Language::english, 0);
  CHECK_THAT(prompter.told, Contains(word));
}

TEST_CASE("every text exists in both languages") {
  for (int text = 0; text <= static_cast<int>(Text::old_kept); ++text) {
    CHECK_FALSE(text_of(static_cast<Text>(text), Language::english).empty());
    CHECK_FALSE(text_of(static_cast<Text>(text), Language::chinese).empty());
  }
}

TEST_CASE("the language comes from --lang, then from the locale") {
  CHECK(choose_language("", {{"LANG", "zh_CN.UTF-8"}}) == Language::chinese);
  CHECK(choose_language("", {{"LC_ALL", "C"}, {"LANG", "zh_CN.UTF-8"}}) == Language::english);
  CHECK(choose_language("en", {{"LANG", "zh_CN.UTF-8"}}) == Language::english);
  CHECK(choose_language("", {}) == Language::english);
  CHECK_THROWS_AS(choose_language("fr", {}), mdl::UsageError);
}

TEST_CASE("text that YAML would read as another type stands in quotes") {
  // The right column is what PyYAML's safe_dump writes.
  auto [text, written] = GENERATE(table<std::string, std::string>({{"no", "'no'"},
                                                                   {"0", "'0'"},
                                                                   {"0,1", "0,1"},
                                                                   {"10.0.0.1", "10.0.0.1"},
                                                                   {"10.5", "'10.5'"},
                                                                   {"node-7.cluster", "node-7.cluster"},
                                                                   {"fe80::1", "fe80::1"},
                                                                   {"12:30", "'12:30'"},
                                                                   {"2026-11-24", "'2026-11-24'"},
                                                                   {"it's", "it's"},
                                                                   {"a: b", "'a: b'"},
                                                                   {"", "''"},
                                                                   {"@x", "'@x'"},
                                                                   {"-", "'-'"},
                                                                   {"null", "'null'"}}));
  ConfigContent content;
  content.values["k"] = text;
  CHECK(to_yaml(content) == "k: " + written + "\n");
}

TEST_CASE("the default set-up is all GPUs, or one process on the CPU") {
  CHECK(std::get<std::string>(default_configuration("no", 8).values.at("distributed_type")) == "MULTI_GPU");
  CHECK(std::get<int>(default_configuration("no", 8).values.at("num_processes")) == 8);
  CHECK(std::get<std::string>(default_configuration("no", 1).values.at("distributed_type")) == "NO");
  CHECK(std::get<bool>(default_configuration("no", 0).values.at("use_cpu")));
}
