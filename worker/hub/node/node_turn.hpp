#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

namespace mdl::worker::hub::node {

/// Lets one process of this node do `work` while others that come with the same `key` wait for it: 0 to many processes
/// of one user, of one job or several, which need not know of each other. No file, no lock, no collective.
///
/// The first one binds an abstract unix socket whose name has the user and `key` (64 letters at most, a hash); the
/// others connect and wait as long as it takes, with a line a minute (`told_every`) that names its pid. It sends them
/// the outcome: they return its answer, or throw the same Error. When it dies, the kernel ends their connections, and
/// one of them takes its place. `find` gives the answer where it is there already; it is asked before each attempt.
///
/// Other users of this machine can read that name. One who listens there is passed over, and `work` done here; one who
/// connects is told nothing and waited for by nobody.
std::string take_turns(const std::string& key, const std::string& what,
                       const std::function<std::optional<std::string>()>& find,
                       const std::function<std::string()>& work,
                       std::chrono::milliseconds told_every = std::chrono::minutes(1));

}  // namespace mdl::worker::hub::node
