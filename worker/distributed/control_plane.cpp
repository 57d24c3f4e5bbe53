#include "worker/distributed/control_plane.hpp"

#include <c10/util/Exception.h>
#include <c10/util/Logging.h>
#include <unistd.h>

#include <torch/csrc/distributed/c10d/FlightRecorder.hpp>
#include <torch/csrc/distributed/c10d/control_plane/WorkerServer.hpp>

#include <algorithm>
#include <vector>

#include "common/log.hpp"

namespace mdl::worker::distributed {
namespace {

constexpr const char* kVariable = "TORCH_WORKER_SERVER_SOCKET";

/// What tells of Gloo's collectives, by LibTorch's own name for it. LibTorch 2.8 records them, but has no such handler.
constexpr const char* kGlooRecord = "fr_trace_json";

void register_gloo_record() {
  namespace plane = c10d::control_plane;
  const std::vector<std::string> names = plane::getHandlerNames();
  if (std::find(names.begin(), names.end(), kGlooRecord) != names.end()) { return; }
  plane::registerHandler(kGlooRecord, [](const plane::Request&, plane::Response& response) {
    response.setContent(c10d::dump_fr_trace_json(/*includeCollectives=*/true, /*onlyActive=*/false),
                        "application/json");
    response.setStatus(200);
  });
}

/// Keeps LibTorch's own lines off stderr, which tell that a server listens, for as long as this lives.
class Hush {
 public:
  Hush() : level_(FLAGS_caffe2_log_level) { FLAGS_caffe2_log_level = std::max(level_, c10::GLOG_ERROR); }
  ~Hush() { FLAGS_caffe2_log_level = level_; }
  Hush(const Hush&) = delete;
  Hush& operator=(const Hush&) = delete;

 private:
  int level_;
};

}  // namespace

ControlPlane::ControlPlane(const process::Lookup& lookup) {
  const auto path = lookup(kVariable);
  if (!path) { return; }
  const Hush hush;
  std::string problem;
  try {
    register_gloo_record();
    c10::make_intrusive<c10d::control_plane::WorkerServer>(*path).release();
    path_ = *path;
  } catch (const c10::Error& error) {  // its what() would add a C++ stack trace
    problem = error.what_without_backtrace();
  } catch (const std::exception& error) { problem = error.what(); }
  if (!problem.empty()) { log::warning("no server at ", kVariable, " for whoever watches this process: ", problem); }
}

ControlPlane::~ControlPlane() {
  if (!path_.empty()) { ::unlink(path_.c_str()); }
}

}  // namespace mdl::worker::distributed
