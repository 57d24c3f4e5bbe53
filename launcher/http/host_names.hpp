#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace mdl::launcher::http {

/// By which names a server may be asked. A page of a stranger in somebody's browser can make its own name stand for
/// this machine (DNS rebinding), and then read answers as its own; the header Host still has that name.
class HostNames {
 public:
  /// `names` in any case, beside "localhost" and loopback's addresses; `own_addresses` tells this machine's, now.
  HostNames(std::vector<std::string> names, std::function<std::vector<std::string>()> own_addresses);

  /// Whether the value of a header Host, a name or an address with or without a port, is one of them.
  bool allow(std::string_view host) const;

 private:
  std::vector<std::string> names_;
  std::function<std::vector<std::string>()> own_addresses_;
};

}  // namespace mdl::launcher::http
