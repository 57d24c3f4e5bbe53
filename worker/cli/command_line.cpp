#include "worker/cli/command_line.hpp"

#include <algorithm>
#include <boost/program_options.hpp>

#include "common/error.hpp"
#include "common/nearest_name.hpp"
#include "common/str_cat.hpp"

namespace mdl::worker::cli {
namespace {

namespace po = boost::program_options;

constexpr const char* kStanding = "standing";

std::string advice(const std::string& command) {
  return str_cat("Try: mdl-toolkit ", command, " --help");
}

[[noreturn]] void refuse_option(const std::string& command, const std::string& typed,
                                std::span<const OptionText> options) {
  std::vector<std::string> names = {"help"};
  for (const OptionText& option : options) { names.emplace_back(option.name); }
  const std::string option = typed.substr(0, typed.find('='));
  const std::string name = option.substr(std::min(option.find_first_not_of('-'), option.size()));
  throw UsageError(str_cat("unknown option ", option), did_you_mean(name, names, "--") + advice(command));
}

}  // namespace

bool asks_for_help(const std::vector<std::string>& arguments) {
  return std::any_of(arguments.begin(), arguments.end(), [](const auto& a) { return a == "--help" || a == "-h"; });
}

po::variables_map parse_command_line(const std::string& command, std::span<const OptionText> options,
                                     const std::vector<std::string>& arguments) {
  po::options_description all;
  all.add_options()("help,h", "")(kStanding, po::value<std::vector<std::string>>());
  for (const OptionText& option : options) {
    all.add_options()(option.name, po::value<std::vector<std::string>>(), option.help);
  }
  po::positional_options_description positional;
  positional.add(kStanding, -1);
  po::variables_map given;
  try {
    namespace style = po::command_line_style;
    po::store(po::command_line_parser(arguments)
                  .options(all)
                  .positional(positional)
                  .style(style::allow_long | style::allow_short | style::short_allow_next |
                         style::allow_dash_for_short | style::long_allow_adjacent | style::long_allow_next)
                  .run(),
              given);
  } catch (const po::unknown_option& error) {
    refuse_option(command, error.get_option_name(), options);
  } catch (const po::error& error) { throw UsageError(error.what(), advice(command)); }
  return given;
}

std::string standing_argument(const po::variables_map& given, const std::string& command, const std::string& what) {
  if (!given.count(kStanding)) { throw UsageError(str_cat("no ", what, " is named"), advice(command)); }
  const auto& standing = given[kStanding].as<std::vector<std::string>>();
  if (standing.size() > 1) {
    throw UsageError(str_cat("one ", what, " is expected, but also \"", standing[1], "\" stands alone"),
                     advice(command));
  }
  return standing.front();
}

void refuse_standing_arguments(const po::variables_map& given, const std::string& command) {
  if (!given.count(kStanding)) { return; }
  throw UsageError(str_cat("mdl-toolkit ", command, " takes options only, but \"",
                           given[kStanding].as<std::vector<std::string>>().front(), "\" stands alone"),
                   advice(command));
}

}  // namespace mdl::worker::cli
