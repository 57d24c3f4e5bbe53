#pragma once

#include <cstdint>
#include <string>

#include "common/str_cat.hpp"

namespace mdl::launcher::job {

/// Where a static job has what in its store; see make_static_rendezvous().
struct StaticKeys {
  explicit StaticKeys(const std::string& run_id)
      : torch_prefix(run_id + "/torchelastic/"), own_prefix("mdl-launch/" + run_id + "/static/") {}

  /// How many rounds have begun before the one of now; not there in the first.
  std::string round() const { return own_prefix + "round"; }
  /// How many nodes the job has, as its node 0 says.
  std::string nodes() const { return own_prefix + "nodes"; }
  /// What all keys of a round begin with; those of the first are torchrun's.
  std::string of_round(std::int64_t round) const { return round == 0 ? torch_prefix : str_cat(own_prefix, round, "/"); }
  /// RoleInfo of a node: it has come.
  std::string role_info(std::int64_t round, std::int64_t node) const {
    return str_cat(of_round(round), "role_info/", node);
  }
  /// AssignedRanks of a node: all have come.
  std::string assigned_ranks(std::int64_t round, std::int64_t node) const {
    return str_cat(of_round(round), "assigned_ranks/", node);
  }

  std::string torch_prefix;
  std::string own_prefix;
};

}  // namespace mdl::launcher::job
