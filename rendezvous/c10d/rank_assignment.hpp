#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mdl::rendezvous::c10d {

/// What each node tells the first one about its workers, in the store under "torchelastic/role_info/RANK".
struct RoleInfo {
  std::string role;                   ///< torchrun's --role
  std::int64_t rank = 0;              ///< of the node, from 0
  std::int64_t local_world_size = 0;  ///< its workers

  bool operator==(const RoleInfo&) const = default;
};

/// What the first node answers, under "torchelastic/assigned_ranks/RANK": the worker with local rank i has the global
/// rank base_global_rank + i and the role rank base_role_rank + i.
struct AssignedRanks {
  std::int64_t base_global_rank = 0;
  std::int64_t global_world_size = 0;
  std::int64_t base_role_rank = 0;
  std::int64_t role_world_size = 0;  ///< workers of all nodes with this node's role

  bool operator==(const AssignedRanks&) const = default;
};

/// The ranks of all nodes' workers, as torch's agent assigns them: nodes one after the other, roles counted apart.
/// `nodes[i]` is the node with rank i.
std::vector<AssignedRanks> assign_ranks(const std::vector<RoleInfo>& nodes);

/// The JSON that torch's agents exchange. Reading throws Error that quotes what is not of that form, or has negative or
/// absurd numbers.
std::string to_json(const RoleInfo& info);
std::string to_json(const AssignedRanks& ranks);
RoleInfo role_info_from_json(std::string_view text);
AssignedRanks assigned_ranks_from_json(std::string_view text);

}  // namespace mdl::rendezvous::c10d
