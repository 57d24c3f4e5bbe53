#pragma once

#include <filesystem>

#include "common/unique_fd.hpp"

namespace mdl::launcher::progress {

/// Where the sockets lie at which this node's workers tell how they get on, and may be asked: the run's folder, which
/// nobody else may enter. A socket's path has at most 107 bytes, and not every file system takes one. Where the run's
/// folder cannot have them, or there is none, it is one of its own in a place for temporary files, with the mode 0700,
/// which goes with this.
class ProgressFolder {
 public:
  /// `run_folder` may be empty. Never throws for want of a place: what was tried is logged.
  explicit ProgressFolder(const std::filesystem::path& run_folder);
  ~ProgressFolder();
  ProgressFolder(const ProgressFolder&) = delete;
  ProgressFolder& operator=(const ProgressFolder&) = delete;

  /// The path of one worker's socket; empty where there is no place for any.
  std::filesystem::path socket_path(int local_rank) const;

 private:
  std::filesystem::path folder_{};
  bool temporary_ = false;
};

/// Where a worker's server listens (TORCH_WORKER_SERVER_SOCKET), beside its socket for progress. The worker makes it,
/// and torch's refuses a path that is there already.
std::filesystem::path server_path_beside(const std::filesystem::path& progress_socket);

/// A datagram socket at `path`, instead of what is there. An empty one, with errno set, when it cannot be made.
UniqueFd bind_datagram_socket(const std::filesystem::path& path);

}  // namespace mdl::launcher::progress
