#pragma once

#include <memory>
#include <string>

#include "common/loop/asio.hpp"
#include "launcher/command_line/store_plan.hpp"
#include "launcher/job/job_rendezvous.hpp"
#include "launcher/waiting/wait_schedule.hpp"

namespace mdl::launcher::waiting {

/// Tells the user, while a node waits for a round, for what: lines of the log, or where stderr is a terminal one line
/// there that is rewritten. Runs in the caller's io_context, beside the rendezvous.
class WaitTeller {
 public:
  /// All references must outlive this, and the io_context's coroutines end before it.
  WaitTeller(asio::io_context& io, const command_line::StorePlan& plan, const job::JobRendezvous& rendezvous,
             WaitTimes times = {});
  /// Ends.
  ~WaitTeller();
  WaitTeller(const WaitTeller&) = delete;
  WaitTeller& operator=(const WaitTeller&) = delete;

  /// The rendezvous may wait from now on.
  void begin();
  /// It does no more; the line on the terminal goes. Returns for how long this node had waited, "1 min 5 s", if that
  /// has been told; else nothing.
  std::string end();
  /// What is waited for now, as a sentence that begins with a verb: "waiting for …". Empty when nothing is.
  std::string text() const;

 private:
  struct Session;
  asio::awaitable<void> run(std::shared_ptr<Session> session);

  asio::io_context& io_;
  const command_line::StorePlan& plan_;
  const job::JobRendezvous& rendezvous_;
  const WaitTimes times_;
  std::shared_ptr<Session> session_;  ///< between begin() and end()
};

}  // namespace mdl::launcher::waiting
