#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/endpoint.hpp"
#include "common/loop/asio.hpp"

namespace mdl::launcher::status {

/// What an agent tells another process of the same user on the same machine: where its job can be asked about.
struct SignedJob {
  std::string run_id{};
  Endpoint store{};
  std::string secret{};       ///< of that store, where the agent has made it up (StorePlace)
  std::string secret_file{};  ///< where the job's secret lies, if it has one
  std::string script{};       ///< the name of what its workers run; empty: of an older agent
  std::int64_t pid = 0;       ///< of the agent; not part of the text

  bool operator==(const SignedJob&) const = default;
};

/// JSON of at most kLargestSign bytes.
std::string to_text(const SignedJob& job);
/// nullopt when it is something else. (The texts are as they were: not fit for a terminal.)
std::optional<SignedJob> signed_job_from_text(std::string_view text);
inline constexpr std::size_t kLargestSign = 16 * 1024;

/// What the names of the sockets begin with at which this user's agents tell it, in the kernel's abstract namespace.
std::string sign_prefix();

/// Tells it to every process of the same user, and root's, that connects to an abstract unix socket of this one; to
/// others nothing. Such a socket is no file: it is gone with this process, however that ends. (It belongs to the
/// network namespace, so that containers with a network of their own see only their own jobs.)
class JobSign {
 public:
  /// A socket that cannot be had is logged, and the job does without.
  JobSign(asio::io_context& io, const SignedJob& job);
  ~JobSign();
  JobSign(const JobSign&) = delete;
  JobSign& operator=(const JobSign&) = delete;

 private:
  struct Session;
  static asio::awaitable<void> tell(std::shared_ptr<Session> session);
  std::shared_ptr<Session> session_;
};

}  // namespace mdl::launcher::status
