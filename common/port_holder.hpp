#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mdl {

/// Who listens on a TCP port of this machine (of this network namespace), as /proc tells it: the processes that hold a
/// listening socket on `port`, each as "NAME (process ID)", by id. Empty when nobody does, and also when they belong to
/// another user, whose sockets only root may see. Looks at every process, so call it only to explain an error.
std::vector<std::string> port_holders(std::uint16_t port);

/// The same in the middle of a sentence: "nginx (process 77)", "nginx (process 77) and 2 more", or "another program".
std::string name_port_holder(std::uint16_t port);

}  // namespace mdl
