#include "launcher/restart_policy.hpp"

namespace mdl::launcher {

Decision decide(const GroupObservation& seen, int restarts_left) {
  if (seen.signalled) { return Decision::obey_signal; }
  if (seen.all_succeeded) { return Decision::finish; }
  if (seen.hopeless) { return Decision::give_up; }
  if (seen.any_failed) { return restarts_left > 0 ? Decision::restart : Decision::give_up; }
  return seen.membership_changed ? Decision::restart_for_free : Decision::go_on;
}

}  // namespace mdl::launcher
