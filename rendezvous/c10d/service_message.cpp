#include "rendezvous/c10d/service_message.hpp"

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "common/json_integers.hpp"

namespace mdl::rendezvous::c10d {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kVersion = "1 ";
constexpr std::int64_t kMostCodes = 16;
// Longer ones are of no use, and would be far from overflowing when added to a time.
constexpr std::int64_t kLongestSetting = std::int64_t{1000} * 365 * 24 * 3600 * 1'000'000;

std::int64_t integer(const Json& json, const char* name, std::int64_t least, std::int64_t most) {
  const Json& value = json.at(name);
  if (!value.is_number_integer()) { throw std::invalid_argument(name); }
  const auto number = value.get<std::int64_t>();
  if (number < least || number > most) { throw std::invalid_argument(name); }
  return number;
}

RendezvousSettings::Duration duration(const Json& json, const char* name) {
  return RendezvousSettings::Duration(integer(json, name, 0, kLongestSetting));
}

template <typename Enum>
Enum code(const Json& json, const char* name, Enum last) {
  return static_cast<Enum>(integer(json, name, 0, std::min(kMostCodes, static_cast<std::int64_t>(last))));
}

Json settings_to_json(const RendezvousSettings& settings) {
  return {{"min", settings.min_nodes},
          {"max", settings.max_nodes},
          {"last_call", settings.last_call_timeout.count()},
          {"interval", settings.keep_alive_interval.count()},
          {"attempts", settings.keep_alive_max_attempt}};
}

/// Those that the host decides by; the others matter to the agent alone.
RendezvousSettings settings_from_json(const Json& json) {
  constexpr std::int64_t kMost = std::int64_t{1} << 32;
  RendezvousSettings settings;
  settings.min_nodes = integer(json, "min", 1, kMost);
  settings.max_nodes = integer(json, "max", settings.min_nodes, kMost);
  settings.last_call_timeout = duration(json, "last_call");
  settings.keep_alive_interval = duration(json, "interval");
  settings.keep_alive_max_attempt = integer(json, "attempts", 1, 1'000'000);
  if (settings.keep_alive_interval > std::chrono::hours(24 * 365)) { throw std::invalid_argument("interval"); }
  return settings;
}

std::string dump(const Json& json) {
  // An address that is not UTF-8 comes back changed; it could not be pickled either.
  return json.dump(-1, ' ', true, Json::error_handler_t::replace);
}

template <typename Message, typename Read>
std::optional<Message> parse(std::string_view text, const Read& read) {
  try {
    return read(Json::parse(text, integers_only<Json>));
  } catch (const std::exception&) { return std::nullopt; }
}

}  // namespace

std::string to_string(const ServiceAnnouncement& announcement) {
  return std::string(kVersion) + announcement.run_id;
}

std::optional<ServiceAnnouncement> read_service_announcement(std::string_view text) {
  if (!text.starts_with(kVersion)) { return std::nullopt; }
  return ServiceAnnouncement{std::string(text.substr(kVersion.size()))};
}

std::string to_json(const ServiceRequest& request) {
  Json json{{"number", request.number},
            {"wish", static_cast<int>(request.intent)},
            {"run_id", request.run_id},
            {"node", {request.node.addr, request.node.pid, request.node.local_id}},
            {"ticket", request.ticket}};
  if (request.intent == ServiceRequest::Intent::join) { json["settings"] = settings_to_json(request.settings); }
  return dump(json);
}

std::string to_json(const ServiceReply& answer) {
  Json json{{"number", answer.number}, {"kind", static_cast<int>(answer.kind)}};
  if (answer.round != 0) { json["round"] = answer.round; }
  if (answer.rank != 0) { json["rank"] = answer.rank; }
  if (answer.nodes != 0) { json["nodes"] = answer.nodes; }
  if (!answer.first_addr.empty()) { json["first_addr"] = answer.first_addr; }
  if (!answer.text.empty()) { json["text"] = answer.text; }
  return dump(json);
}

std::optional<ServiceRequest> service_request_from_json(std::string_view text) {
  return parse<ServiceRequest>(text, [](const Json& json) {
    ServiceRequest request;
    request.number = json.at("number").get<std::uint64_t>();
    request.intent = code(json, "wish", ServiceRequest::Intent::close);
    request.run_id = json.at("run_id").get<std::string>();
    const Json& node = json.at("node");
    if (node.size() != 3) { throw std::invalid_argument("node"); }
    request.node = {node.at(0).get<std::string>(), node.at(1).get<std::int64_t>(), node.at(2).get<std::int64_t>()};
    request.ticket = json.at("ticket").get<std::uint64_t>();
    if (request.intent == ServiceRequest::Intent::join) { request.settings = settings_from_json(json.at("settings")); }
    return request;
  });
}

std::optional<ServiceReply> service_reply_from_json(std::string_view text) {
  return parse<ServiceReply>(text, [](const Json& json) {
    ServiceReply answer;
    answer.number = json.at("number").get<std::uint64_t>();
    answer.kind = code(json, "kind", ServiceReply::Kind::done);
    answer.round = json.value("round", std::int64_t{0});
    answer.rank = json.value("rank", std::int64_t{0});
    answer.nodes = json.value("nodes", std::int64_t{0});
    answer.first_addr = json.value("first_addr", std::string());
    answer.text = json.value("text", std::string());
    return answer;
  });
}

}  // namespace mdl::rendezvous::c10d
