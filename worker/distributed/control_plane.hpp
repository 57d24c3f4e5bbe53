#pragma once

#include <string>

#include "worker/process/worker_environment.hpp"

namespace mdl::worker::distributed {

/// torch's server for whoever watches this process (c10d::control_plane::WorkerServer): it answers at the Unix socket
/// that TORCH_WORKER_SERVER_SOCKET names, among others with torch's record of collectives. Where the variable is not
/// set there is none. What goes wrong is logged, and the run goes on without it.
class ControlPlane {
 public:
  explicit ControlPlane(const process::Lookup& lookup = process::lookup_environment);
  /// Nobody finds the server any longer. Its threads, which wait, end with the process: to end them here might take as
  /// long as somebody asks.
  ~ControlPlane();
  ControlPlane(const ControlPlane&) = delete;
  ControlPlane& operator=(const ControlPlane&) = delete;

 private:
  std::string path_{};  ///< of the socket; empty: there is no server
};

}  // namespace mdl::worker::distributed
