#include "worker/cli/given_options.hpp"

namespace mdl::worker::cli {

const std::vector<std::string>& GivenOptions::values(const std::string& name) const {
  static const std::vector<std::string> kNone;
  const auto found = values_.find(name);
  return found == values_.end() ? kNone : found->second;
}

const std::string& GivenOptions::place(const std::string& name) const {
  static const std::string kNowhere;
  const auto found = places_.find(name);
  return found == places_.end() ? kNowhere : found->second;
}

void GivenOptions::set(const std::string& name, std::vector<std::string> values, const std::string& place) {
  values_[name] = std::move(values);
  if (place.empty()) {
    places_.erase(name);
  } else {
    places_[name] = place;
  }
}

}  // namespace mdl::worker::cli
