#include "launcher/status/job_finder.hpp"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <tuple>
#include <utility>

#include "common/host.hpp"
#include "common/unique_fd.hpp"

namespace mdl::launcher::status {
namespace {

constexpr std::size_t kMostAgents = 1000;
constexpr timeval kAnswerTime{1, 0};

/// Connected to an agent of this user's; an empty one where that cannot be. The agent's process is left in `pid`.
UniqueFd ask(const std::string& name, std::int64_t& pid) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (name.size() >= sizeof address.sun_path) { return {}; }
  std::memcpy(address.sun_path + 1, name.data(), name.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) { return {}; }
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &kAnswerTime, sizeof kAnswerTime);
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &kAnswerTime, sizeof kAnswerTime);
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): the interface is so
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0) { return {}; }
  ucred peer{};
  socklen_t peer_size = sizeof peer;
  const bool known = ::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &peer_size) == 0;
  if (!known || peer.uid != ::geteuid()) { return {}; }  // another user may have taken such a name
  pid = peer.pid;
  return socket;
}

std::optional<SignedJob> asked(const std::string& name) {
  std::int64_t pid = 0;
  const UniqueFd socket = ask(name, pid);
  if (!socket) { return std::nullopt; }
  std::string text;
  std::array<char, 4096> part{};
  ssize_t n = 0;
  while (text.size() <= kLargestSign && (n = ::recv(socket.get(), part.data(), part.size(), 0)) > 0) {
    text.append(part.data(), static_cast<std::size_t>(n));
  }
  std::optional<SignedJob> job = signed_job_from_text(text);
  if (job) { job->pid = pid; }
  return job;
}

bool are_one_job(const SignedJob& a, const SignedJob& b) {
  if (a.run_id != b.run_id || a.store.port != b.store.port) { return false; }
  return a.store.host == b.store.host || (is_this_machine(a.store.host) && is_this_machine(b.store.host));
}

}  // namespace

std::vector<std::string> abstract_names(const std::string& proc_net_unix, const std::string& prefix) {
  std::vector<std::string> names;
  std::istringstream lines(proc_net_unix);
  for (std::string line; std::getline(lines, line) && names.size() < kMostAgents;) {
    const std::size_t begin = line.rfind(" @" + prefix);
    if (begin == std::string::npos) { continue; }
    names.push_back(line.substr(begin + 2));
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());  // a connection has its server's name
  return names;
}

std::vector<SignedJob> find_jobs() {
  std::ifstream file("/proc/net/unix");
  const std::string sockets{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  std::vector<SignedJob> jobs;
  for (const std::string& name : abstract_names(sockets, sign_prefix())) {
    if (auto job = asked(name)) { jobs.push_back(std::move(*job)); }
  }
  return without_repetition(std::move(jobs));
}

std::vector<SignedJob> without_repetition(std::vector<SignedJob> jobs) {
  std::sort(jobs.begin(), jobs.end(), [](const SignedJob& a, const SignedJob& b) {
    return std::tie(a.run_id, a.store.port, a.store.host, a.pid) <
           std::tie(b.run_id, b.store.port, b.store.host, b.pid);
  });
  std::vector<SignedJob> once;
  for (SignedJob& job : jobs) {
    const auto same = [&](const SignedJob& other) { return are_one_job(other, job); };
    if (std::none_of(once.begin(), once.end(), same)) { once.push_back(std::move(job)); }
  }
  return once;
}

}  // namespace mdl::launcher::status
