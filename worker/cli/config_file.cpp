#include "worker/cli/config_file.hpp"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/parse_number.hpp"
#include "common/str_cat.hpp"
#include "common/yaml/yaml_document.hpp"
#include "worker/cli/command_line.hpp"
#include "worker/cli/spellings.hpp"

namespace mdl::worker::cli {
namespace {

namespace fs = std::filesystem;
using Type = yaml::YamlValue::Type;

/// A number stays a number: Python reads more forms of it (1e-4) than YAML 1.1 does.
nlohmann::json to_json(const yaml::YamlValue& value) {
  switch (value.type) {
    case Type::null:
      return nullptr;
    case Type::boolean:
      return value.boolean;
    case Type::integer:
      return value.integer;
    case Type::real:
    case Type::text: {
      const auto number = value.quoted ? std::nullopt : parse_real_number(value.text);
      return number ? nlohmann::json(*number) : nlohmann::json(value.text);
    }
    case Type::list: {
      auto list = nlohmann::json::array();
      for (const yaml::YamlValue& item : value.items) { list.push_back(to_json(item)); }
      return list;
    }
    case Type::map: {
      auto object = nlohmann::json::object();
      for (const auto& [key, item] : value.entries) { object[key] = to_json(item); }
      return object;
    }
  }
  return nullptr;
}

/// The file's text. A file that is no configuration may be of any size.
std::string read_config_text(const fs::path& file) {
  constexpr std::uintmax_t kMostBytes = std::uintmax_t{1} << 20;
  std::error_code none;
  const auto size = fs::file_size(file, none);
  if (!none && size > kMostBytes) {
    throw UsageError(str_cat("--config ", file.string(), ": the file has ", size, " bytes"),
                     "A configuration file is a few lines. Is this the right one?");
  }
  return read_text(file);
}

class ConfigReader {
 public:
  ConfigReader(const fs::path& file, const CommandSyntax& syntax, GivenOptions& given)
      : file_(file), syntax_(syntax), given_(given), standing_names_(names_in(syntax.standing)) {}

  void read(const std::string& text) {
    const yaml::YamlAdvice advice{
        .write_anew = str_cat("write a new one with: mdl-toolkit ", syntax_.name, " --print-config"),
        .nesting = "A configuration has one level of `option: value` lines."};
    const yaml::YamlValue root = yaml::parse_yaml(text, file_, advice);
    if (!root.repeated_keys.empty()) { refuse_second(root.repeated_keys.front(), root); }
    for (const auto& [key, value] : root.entries) { read_entry(key, value); }
    if (given_.standing().empty()) { given_.set_standing(standing_arguments()); }
  }

 private:
  std::string place(int line) const { return str_cat(file_.string(), ":", line); }

  [[noreturn]] void refuse_second(const std::string& key, const yaml::YamlValue& root) const {
    const auto last = std::ranges::find(root.entries, key, &yaml::YamlEntry::first);
    throw UsageError(str_cat(place(last->second.key_line), ": ", key, " stands there a second time"),
                     "Which of its values is meant? Leave one line.");
  }

  void read_entry(const std::string& key, const yaml::YamlValue& value) {
    if (std::ranges::find(standing_names_, with_dashes(key)) != standing_names_.end()) {
      if (value.type != Type::null) { standing_[with_dashes(key)] = scalar(key, kOneValue, value); }
      return;
    }
    const OptionText* option = find_option(syntax_.options, key);
    if (!option) { refuse_option(syntax_, key, place(value.key_line), {}); }
    if (const auto [line, is_new] = lines_.try_emplace(option->name, value.key_line); !is_new) {
      throw UsageError(str_cat(place(value.key_line), ": ", key, " is the same option as in line ", line->second),
                       "Which of its values is meant? Leave one line.");
    }
    if (value.type == Type::null) { return; }
    std::vector<std::string> values = values_of(*option, key, value);
    if (!given_.has(option->name)) { given_.set(option->name, std::move(values), place(value.key_line)); }
  }

  std::vector<std::string> standing_arguments() const {
    std::vector<std::string> arguments;
    for (const std::string& name : standing_names_) {
      const auto found = standing_.find(name);
      if (found != standing_.end()) { arguments.push_back(found->second); }
    }
    return arguments;
  }

  std::vector<std::string> values_of(const OptionText& option, const std::string& key,
                                     const yaml::YamlValue& value) const {
    if (value.type == Type::map && option.takes == std::string_view(kJsonObject)) { return {to_json(value).dump()}; }
    if (value.type != Type::list || !takes_list(option.takes)) { return {scalar(key, option.takes, value)}; }
    std::vector<std::string> values;
    for (const yaml::YamlValue& item : value.items) { values.push_back(scalar(key, "one value in each place", item)); }
    return values;
  }

  std::string scalar(const std::string& key, const std::string& takes, const yaml::YamlValue& value) const {
    if (value.type != Type::list && value.type != Type::map && value.type != Type::null) { return value.text; }
    throw UsageError(str_cat(place(value.line), ": ", key, " takes ", takes, ", not ", value.type_name()),
                     str_cat("Try: mdl-toolkit ", syntax_.name, " --help"));
  }

  const fs::path& file_;
  const CommandSyntax& syntax_;
  GivenOptions& given_;
  const std::vector<std::string> standing_names_;
  std::map<std::string, std::string> standing_;
  std::map<std::string, int> lines_;  ///< of options
};

}  // namespace

void add_config_file(const fs::path& file, const CommandSyntax& syntax, GivenOptions& given) {
  add_config_text(read_config_text(file), file, syntax, given);
}

void add_config_text(const std::string& text, const fs::path& file, const CommandSyntax& syntax, GivenOptions& given) {
  ConfigReader(file, syntax, given).read(text);
}

}  // namespace mdl::worker::cli
