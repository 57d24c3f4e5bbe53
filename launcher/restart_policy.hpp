#pragma once

namespace mdl::launcher {

/// What the launcher knows about its workers when it decides.
struct GroupObservation {
  bool all_succeeded = false;
  bool any_failed = false;
  bool hopeless = false;            ///< another try would end the same way: see WorkerGroup::is_hopeless()
  bool signalled = false;           ///< a signal told the launcher to end the job
  bool membership_changed = false;  ///< nodes wait to join or have left
};

enum class Decision {
  go_on,             ///< nothing has happened that matters
  finish,            ///< the job has succeeded
  restart,           ///< stop all workers and start them again: counts against --max-restarts
  restart_for_free,  ///< the same for a change of membership, which does not count
  give_up,           ///< stop all workers and report the failure
  obey_signal,       ///< pass the signal on and end
};

/// torchrun's rules (SimpleElasticAgent._invoke_run): a failure restarts all workers while restarts are left; a change
/// of membership restarts them without counting; success needs all workers. A signal comes before everything else.
Decision decide(const GroupObservation& seen, int restarts_left);

}  // namespace mdl::launcher
