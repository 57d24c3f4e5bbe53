#include "launcher/report/event_log.hpp"

#include <nlohmann/json.hpp>

#include "launcher/output/printable.hpp"

namespace mdl::launcher::report {
namespace {
using nlohmann::ordered_json;

template <typename Value>
ordered_json or_null(const std::optional<Value>& value) {
  return value ? ordered_json(*value) : ordered_json();
}

std::string dump(const ordered_json& object) {
  return object.dump(-1, ' ', true, ordered_json::error_handler_t::replace);
}

/// torch's own metadata is JSON in a string, with each of a worker's values in a list.
std::string inner_metadata(const AgentEvent& event) {
  ordered_json inner = {{"group_world_size", or_null(event.group_world_size)}, {"entry_point", event.entry_point}};
  if (event.worker) {
    const AgentEvent::Worker& worker = *event.worker;
    inner["local_rank"] = ordered_json::array({worker.local_rank});
    inner["role_rank"] = ordered_json::array({worker.role_rank});
    inner["role_world_size"] = ordered_json::array({worker.role_world_size});
    inner["exit_code"] = ordered_json::array({or_null(worker.exit_code)});
    inner["worker_pid"] = ordered_json::array({worker.exit_code ? ordered_json(worker.pid) : ordered_json()});
  }
  return dump(inner);
}

}  // namespace

std::string event_line(const AgentEvent& event) {
  ordered_json raw_error;
  if (event.worker && !event.worker->raw_error.empty()) {
    raw_error = dump({{"message", output::printable(event.worker->raw_error)}});
  }
  const ordered_json metadata = {
      {"run_id", event.run_id},
      {"global_rank", event.worker ? ordered_json(event.worker->global_rank) : ordered_json()},
      {"group_rank", or_null(event.group_rank)},
      {"worker_id", event.worker ? ordered_json(std::to_string(event.worker->pid)) : ordered_json()},
      {"role", event.role},
      {"hostname", event.hostname},
      {"state", event.state},
      {"total_run_time", event.total_run_time_s},
      {"rdzv_backend", event.rdzv_backend},
      {"raw_error", raw_error},
      {"metadata", inner_metadata(event)},
      {"agent_restarts", event.agent_restarts},
      {"duration_ms", or_null(event.duration_ms)}};
  return dump({{"name", "torchelastic.worker.status." + event.state},
               {"source", event.worker ? "WORKER" : "AGENT"},
               {"timestamp", 0},
               {"metadata", metadata}});
}

}  // namespace mdl::launcher::report
