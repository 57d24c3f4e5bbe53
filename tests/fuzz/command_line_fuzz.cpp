// mdl-launch's command line, one word a line, in torchrun's and in accelerate's language. Lines NAME=VALUE at the
// beginning whose names begin with PET_ are the environment.
#include <map>
#include <string>
#include <vector>

#include "common/error.hpp"
#include "launcher/accelerate/doctor_options.hpp"
#include "launcher/command_line/options.hpp"
#include "launcher/command_line/store_plan.hpp"
#include "tests/fuzz/fuzz_input.hpp"

namespace {

using Words = std::vector<std::string>;

template <typename Parse>
void refuse_or_take(Parse parse) {
  try {
    parse();
  } catch (const mdl::UsageError& error) {
    mdl::fuzz::claim(std::string_view(error.what()).size() > 8, "a refusal says why");
  } catch (const mdl::Error&) {}
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest = mdl::fuzz::text_of(data, size);
  if (rest.find('\0') != std::string_view::npos) {
    return 0;  // no word of a command line holds one
  }
  std::map<std::string, std::string> variables;
  Words words;
  while (!rest.empty()) {
    const std::string line(rest.substr(0, rest.find('\n')));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    const std::size_t equals = line.find('=');
    if (words.empty() && line.starts_with("PET_") && equals != std::string::npos) {
      variables[line.substr(0, equals)] = line.substr(equals + 1);
    } else {
      words.push_back(line);
    }
  }
  refuse_or_take([&] {
    const auto parsed = mdl::launcher::command_line::parse_command_line(words, [&](const std::string& name) {
      const auto found = variables.find(name);
      return found == variables.end() ? std::nullopt : std::optional<std::string>(found->second);
    });
    if (!parsed.text) {
      mdl::fuzz::claim(!parsed.options.program.empty(), "a launch has a program");
      mdl::launcher::command_line::plan_store(parsed.options, "fresh");
    }
  });
  refuse_or_take([&] { mdl::launcher::accelerate::names_config_file(words); });
  refuse_or_take([&] { mdl::launcher::accelerate::parse_launch_options(words); });
  refuse_or_take([&] { mdl::launcher::accelerate::parse_doctor_options(words); });
  return 0;
}
