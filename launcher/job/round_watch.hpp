#pragma once

#include <functional>

#include "common/loop/asio.hpp"
#include "common/loop/notifier.hpp"
#include "rendezvous/c10d/c10d_rendezvous.hpp"

namespace mdl::launcher::job {

/// The watch over a round, beside what else this node does: heartbeats, until something happens that counts for it.
class RoundWatch {
 public:
  explicit RoundWatch(asio::io_context& io) : io_(io), ended_(io), rest_(io) {}

  /// What to do with what happens. Both functions may throw, which ends the watch.
  struct Rules {
    /// Whether an event is none for this node: the watch goes on after a rest.
    std::function<asio::awaitable<bool>(rendezvous::c10d::RoundEvent)> passes_over;
    /// Takes the event that ends the watch; RoundEvent::stopped is none.
    std::function<asio::awaitable<void>(rendezvous::c10d::RoundEvent)> take;
    /// The watch has ended, by an exception (of the rendezvous, whose store is lost, or one of the above) or not.
    std::function<void(bool failed)> ended;
  };

  /// Begins a watch where none is under way. `rendezvous` must outlive it.
  void start(rendezvous::c10d::C10dRendezvous& rendezvous, Rules rules);
  /// Ends the watch, also one that has just been told of an event, and waits for its end.
  asio::awaitable<void> stop();

 private:
  asio::awaitable<void> run();

  asio::io_context& io_;
  rendezvous::c10d::C10dRendezvous* rendezvous_ = nullptr;
  Rules rules_{};
  loop::Notifier ended_;
  asio::steady_timer rest_;  ///< after an event that is passed over
  bool watching_ = false;
  bool asking_ = false;  ///< while watching: the rendezvous, not resting or looking at an event
  bool stopping_ = false;
};

}  // namespace mdl::launcher::job
