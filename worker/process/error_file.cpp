#include "worker/process/error_file.hpp"

#include <atomic>
#include <ctime>
#include <nlohmann/json.hpp>

#include "common/atomic_file.hpp"
#include "worker/process/worker_environment.hpp"

namespace mdl::worker::process {

void write_error_file(const std::string& message) noexcept {
  static std::atomic<bool> written = false;
  try {
    const auto file = lookup_environment("TORCHELASTIC_ERROR_FILE");
    if (!file || written.exchange(true)) { return; }
    // torchrun shows py_callstack; there is no Python stack here, so that the message takes its place.
    const nlohmann::json extra = {{"py_callstack", message}, {"timestamp", std::to_string(std::time(nullptr))}};
    const nlohmann::json error = {{"message", {{"message", message}, {"extraInfo", extra}}}};
    write_text_atomically(*file, error.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  } catch (...) {}
}

}  // namespace mdl::worker::process
