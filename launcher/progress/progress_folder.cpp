#include "launcher/progress/progress_folder.hpp"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "common/error.hpp"
#include "common/log.hpp"
#include "common/str_cat.hpp"
#include "launcher/output/run_folder.hpp"

namespace mdl::launcher::progress {
namespace fs = std::filesystem;
namespace {

constexpr int kWidestRank = 99'999;
constexpr const char* kProgressName = "progress_";
constexpr const char* kServerName = "server_";  // shorter: it has room where the other one has

std::string socket_name(int local_rank) {
  return str_cat(kProgressName, local_rank);
}

/// Whether sockets of all ranks can lie there.
bool takes_sockets(const fs::path& folder) {
  const fs::path path = folder / socket_name(kWidestRank);
  const UniqueFd socket = bind_datagram_socket(path);
  const int problem = errno;
  if (socket) {
    ::unlink(path.c_str());
  } else {
    log::info(describe_errno("no sockets for the workers' progress in", folder, problem));
  }
  return static_cast<bool>(socket);
}

fs::path make_folder(const fs::path& parent) {
  std::string name = (parent / "mdl_progress_XXXXXX").string();
  return ::mkdtemp(name.data()) ? fs::path(name) : fs::path();
}

}  // namespace

ProgressFolder::ProgressFolder(const fs::path& run_folder) {
  if (!run_folder.empty() && takes_sockets(run_folder)) {
    folder_ = run_folder;
    return;
  }
  std::vector<fs::path> parents;
  for (const auto& [variable, place] : output::named_temporary_places()) { parents.push_back(place); }
  parents.emplace_back("/tmp");
  for (const fs::path& parent : parents) {
    fs::path folder = make_folder(parent);
    if (folder.empty()) { continue; }
    if (takes_sockets(folder)) {
      folder_ = std::move(folder);
      temporary_ = true;
      return;
    }
    ::rmdir(folder.c_str());
  }
}

ProgressFolder::~ProgressFolder() {
  if (temporary_) { ::rmdir(folder_.c_str()); }
}

fs::path ProgressFolder::socket_path(int local_rank) const {
  return folder_.empty() ? fs::path() : folder_ / socket_name(local_rank);
}

fs::path server_path_beside(const fs::path& progress_socket) {
  std::string name = progress_socket.filename().string();
  name.replace(0, std::strlen(kProgressName), kServerName);
  return progress_socket.parent_path() / name;
}

UniqueFd bind_datagram_socket(const fs::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string& name = path.native();
  if (name.size() >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return {};
  }
  std::memcpy(address.sun_path, name.data(), name.size());
  UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) { return {}; }
  ::unlink(path.c_str());
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): the interface is so
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const int problem = errno;
    socket.reset();
    errno = problem;
  }
  return socket;
}

}  // namespace mdl::launcher::progress
