#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "launcher/progress/job_event.hpp"
#include "launcher/straggler/straggler_watch.hpp"

namespace mdl::launcher::straggler {

/// Says in the log, and as events, which ranks are slow for long ("straggler"), and when they are no more
/// ("recovered").
class StragglerTeller {
 public:
  using Happened = std::function<void(progress::JobEvent event)>;

  /// A rank is told once it has been slow for `lasting`.
  StragglerTeller(std::chrono::milliseconds lasting, Happened happened);

  /// For watch::JobWatch: returns how long it can do without the next view.
  std::chrono::milliseconds look(const watch::JobView& view);

 private:
  void tell(const char* kind, HostLine line, std::int64_t round) const;

  std::chrono::milliseconds lasting_;
  Happened happened_;
  StragglerWatch watch_;
};

/// A minute, or the seconds that the variable MDL_STRAGGLER_SECONDS has (`text`); a wrong number is warned of.
std::chrono::milliseconds straggler_time(const std::optional<std::string>& text);

}  // namespace mdl::launcher::straggler
