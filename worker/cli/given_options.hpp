#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/error.hpp"

namespace mdl::worker::cli {

/// A value that an option does not take. Of an option from a configuration file its reader tells the place, too: see
/// with_places().
class RejectedValue : public UsageError {
 public:
  RejectedValue(std::string option, const std::string& problem, const std::string& advice = {})
      : UsageError(problem, advice), option_(std::move(option)) {}

  const std::string& option() const { return option_; }

 private:
  std::string option_;
};

/// The options of a command line and of its configuration file, as texts; OptionValues makes sense of them.
class GivenOptions {
 public:
  bool has(const std::string& name) const { return values_.contains(name); }

  /// All that was given for the option, in its order. Empty where it was not given.
  const std::vector<std::string>& values(const std::string& name) const;

  /// Arguments without an option, in their order.
  const std::vector<std::string>& standing() const { return standing_; }

  /// Where a configuration file has it, "run.yaml:7"; empty for an option of the command line.
  const std::string& place(const std::string& name) const;

  bool asks_for_help() const { return help_; }
  /// Then only the options are wanted, and nothing is required.
  bool prints_config() const { return prints_config_; }

  void set(const std::string& name, std::vector<std::string> values, const std::string& place = {});
  void set_standing(std::vector<std::string> arguments) { standing_ = std::move(arguments); }
  void set_help() { help_ = true; }
  void set_prints_config() { prints_config_ = true; }
  void erase(const std::string& name) { values_.erase(name); }

 private:
  std::map<std::string, std::vector<std::string>> values_;
  std::map<std::string, std::string> places_;
  std::vector<std::string> standing_;
  bool help_ = false, prints_config_ = false;
};

/// What `read` returns. A value that it rejects, and that a configuration file has, is told with its place.
template <typename Read>
auto with_places(const GivenOptions& given, const Read& read) {
  try {
    return read();
  } catch (const RejectedValue& error) {
    const std::string& place = given.place(error.option());
    if (place.empty()) { throw; }
    throw UsageError(place + ": " + error.problem(), error.advice());
  }
}

}  // namespace mdl::worker::cli
