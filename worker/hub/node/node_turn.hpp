#pragma once

#include <functional>
#include <string>

namespace mdl::worker::hub::node {

/// Lets one process of this node do `work` while others that come with the same `key` wait for it: 0 to many processes
/// of one user, of one job or several, which need not know of each other. No file, no lock, no collective.
///
/// The first one binds an abstract unix socket whose name has the user and `key` (64 letters at most, a hash); the
/// others connect and wait as long as it takes, with a line a minute that names its pid. It sends them the outcome:
/// they return, or throw the same Error. When it dies, the kernel ends their connections, and one of them takes its
/// place. `is_done` is asked before each attempt, so that nobody does again what another one has done.
///
/// Who listens under that name as another user is passed over, and `work` done here.
void take_turns(const std::string& key, const std::string& what, const std::function<bool()>& is_done,
                const std::function<void()>& work);

}  // namespace mdl::worker::hub::node
