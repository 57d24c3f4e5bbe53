#pragma once

#include <chrono>
#include <string>
#include <utility>

#include "common/loop/asio.hpp"
#include "rendezvous/c10d/c10d_job.hpp"
#include "rendezvous/c10d/rendezvous_error.hpp"
#include "rendezvous/c10d/rendezvous_step.hpp"
#include "rendezvous/c10d/round_keys.hpp"

namespace mdl::rendezvous::c10d {

/// How one agent joins the rendezvous of a job, stays in it and leaves it: one implementation for each kind of host
/// (ServiceClient, CompareSetClient). See C10dRendezvous for what each
/// operation means. Everything throws StoreConnectionError when the store is lost.
class RendezvousClient {
 public:
  virtual ~RendezvousClient() = default;
  RendezvousClient(const RendezvousClient&) = delete;
  RendezvousClient& operator=(const RendezvousClient&) = delete;

  virtual asio::awaitable<RendezvousRound> next_round() = 0;
  virtual asio::awaitable<RoundEvent> watch() = 0;
  virtual void stop_watching() = 0;
  virtual asio::awaitable<void> leave() = 0;
  virtual asio::awaitable<void> close() = 0;

  const C10dJob& job() const { return job_; }
  const NodeDesc& self() const { return self_; }
  /// Until when the next_round() that goes on, or the last one, waits; max() while there is no limit.
  std::chrono::steady_clock::time_point join_deadline() const { return join_deadline_; }

 protected:
  RendezvousClient(C10dJob job, NodeDesc self) : job_(std::move(job)), self_(std::move(self)) {}

  /// A join, or one that begins anew, may take the job's join_timeout from now on.
  void begin_joining() { join_deadline_ = std::chrono::steady_clock::now() + job_.settings.join_timeout; }
  void join_without_limit() { join_deadline_ = std::chrono::steady_clock::time_point::max(); }

  // The ends that are no success, for people.
  [[noreturn]] void fail_closed() const;
  [[noreturn]] void fail_left_out() const;
  [[noreturn]] void fail_refused(const std::string& why) const;
  /// `participants`: how many were there; `remark`: what else is known.
  [[noreturn]] void fail_too_few(std::size_t participants, const std::string& remark = {}) const;
  /// The end of leave() and close() that took too long.
  [[noreturn]] void fail_in_time(const std::string& why) const;

 private:
  std::string name() const;

  const C10dJob job_;
  const NodeDesc self_;
  std::chrono::steady_clock::time_point join_deadline_{};
};

}  // namespace mdl::rendezvous::c10d
