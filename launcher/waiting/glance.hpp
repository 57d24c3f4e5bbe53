#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "common/loop/asio.hpp"
#include "launcher/command_line/store_plan.hpp"
#include "launcher/job/wait_phase.hpp"

namespace mdl::launcher::waiting {

/// Who else is at the store of a job, for people: whatever launcher has started the others.
class Glance {
 public:
  virtual ~Glance() = default;
  /// Reads it, over a connection of its own, in some seconds at most. Does not throw: what cannot be read stays as it
  /// was. One at a time.
  virtual asio::awaitable<void> look(job::WaitPhase phase) = 0;
  /// How many nodes were there.
  virtual std::size_t nodes() const = 0;
  /// A sentence of wait_text.hpp on what `phase` waits for, in so many columns of a terminal.
  virtual std::string text(const job::WaitPhase& phase, std::size_t columns) const = 0;
  /// The same as text() of a store that is not reached, and what to look for then.
  virtual std::string advice(const job::WaitPhase& phase) const = 0;
};

/// For the store of `plan`, which must outlive it. Null for one that nobody else comes to.
std::unique_ptr<Glance> make_glance(const command_line::StorePlan& plan);

}  // namespace mdl::launcher::waiting
