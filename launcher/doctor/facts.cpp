#include "launcher/doctor/facts.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace mdl::launcher::doctor {
namespace {

using Named = std::pair<EndpointState, const char*>;
constexpr std::array kNames{Named{EndpointState::unreachable, "unreachable"},
                            Named{EndpointState::none, "none"},
                            Named{EndpointState::free, "free"},
                            Named{EndpointState::taken, "taken"},
                            Named{EndpointState::reached, "reached"},
                            Named{EndpointState::refused, "refused"}};

}  // namespace

void to_json(nlohmann::json& json, EndpointState state) {
  const auto* named = std::find_if(kNames.begin(), kNames.end(), [&](const Named& one) { return one.first == state; });
  json = named->second;
}

void from_json(const nlohmann::json& json, EndpointState& state) {
  const auto name = json.get<std::string>();
  const auto* named = std::find_if(kNames.begin(), kNames.end(), [&](const Named& one) { return one.second == name; });
  state = named == kNames.end() ? EndpointState::unreachable : named->first;
}

}  // namespace mdl::launcher::doctor
