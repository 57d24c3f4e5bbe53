#include "rendezvous/c10d/rank_assignment.hpp"

#include <map>
#include <nlohmann/json.hpp>

#include "common/error.hpp"
#include "common/json_integers.hpp"
#include "common/str_cat.hpp"

namespace mdl::rendezvous::c10d {
namespace {

using nlohmann::json;

// More workers than any job has; keeps sums far from the end of 64 bits.
constexpr std::int64_t kMaxWorkers = std::int64_t{1} << 32;

[[noreturn]] void fail(const char* what, std::string_view text) {
  constexpr std::size_t kQuoted = 200;
  throw Error(str_cat("the store holds ", what,
                      " that another agent has written in a form not known here: ", text.substr(0, kQuoted)));
}

std::int64_t number(const json& value) {
  const auto result = value.get<std::int64_t>();
  if (result < 0 || result > kMaxWorkers) { throw std::out_of_range("rank"); }
  return result;
}

/// Calls `read` with the parsed text; every failure is one message that quotes the text.
template <typename Read>
auto parse(const char* what, std::string_view text, const Read& read) {
  try {
    return read(json::parse(text, integers_only<json>));
  } catch (const std::exception&) { fail(what, text); }
}

}  // namespace

std::vector<AssignedRanks> assign_ranks(const std::vector<RoleInfo>& nodes) {
  std::int64_t global_size = 0;
  std::map<std::string, std::int64_t> role_sizes;
  for (const RoleInfo& node : nodes) {
    global_size += node.local_world_size;
    role_sizes[node.role] += node.local_world_size;
  }
  std::int64_t next_global = 0;
  std::map<std::string, std::int64_t> next_of_role;
  std::vector<AssignedRanks> assigned;
  for (const RoleInfo& node : nodes) {
    assigned.push_back({next_global, global_size, next_of_role[node.role], role_sizes[node.role]});
    next_global += node.local_world_size;
    next_of_role[node.role] += node.local_world_size;
  }
  return assigned;
}

std::string to_json(const RoleInfo& info) {
  return nlohmann::ordered_json{{"role", info.role}, {"rank", info.rank}, {"local_world_size", info.local_world_size}}
      .dump(-1, ' ', true, json::error_handler_t::replace);
}

std::string to_json(const AssignedRanks& ranks) {
  return json{ranks.base_global_rank, ranks.global_world_size, ranks.base_role_rank, ranks.role_world_size}.dump();
}

RoleInfo role_info_from_json(std::string_view text) {
  return parse("a role_info", text, [](const json& value) {
    return RoleInfo{value.at("role").get<std::string>(), number(value.at("rank")),
                    number(value.at("local_world_size"))};
  });
}

AssignedRanks assigned_ranks_from_json(std::string_view text) {
  return parse("assigned_ranks", text, [](const json& value) {
    if (value.size() != 4) { throw std::out_of_range("size"); }
    return AssignedRanks{number(value.at(0)), number(value.at(1)), number(value.at(2)), number(value.at(3))};
  });
}

}  // namespace mdl::rendezvous::c10d
