#include "launcher/job/round_sequence.hpp"

#include <catch2/catch.hpp>
#include <memory>
#include <string>

#include "common/error.hpp"

using namespace mdl;
using namespace mdl::launcher::job;
using namespace mdl::loop;
using namespace std::chrono_literals;
namespace asio = mdl::asio;

namespace {

/// Nodes that come and go as the test says.
class Churn : public JobRendezvous {
 public:
  explicit Churn(Notifier& changed) : changed_(changed) {}

  asio::awaitable<std::optional<Round>> next_round(const LocalGroup&) override {
    ++rounds;
    if (rounds <= broken_off) { co_return std::nullopt; }
    co_return Round{};
  }
  asio::awaitable<void> end_round(std::string failure) override {
    last_end_.why = failure.empty() ? RoundEnd::membership : RoundEnd::failure;
    // The job is closed while the sequence waits.
    state_ = RoundState::closed;
    changed_.notify();
    co_return;
  }
  asio::awaitable<void> wait_for_the_others() override { co_return; }
  RoundState state() const override { return state_; }

  int rounds = 0;
  int broken_off = 0;

 private:
  Notifier& changed_;
  RoundState state_ = RoundState::goes_on;
};

/// What RoundSequence::next() throws; empty when it leads to a round.
std::string failure_of_next(asio::io_context& io, RoundSequence& rounds) {
  std::string failure;
  const LocalGroup group{"default", 1};
  Round round;
  asio::co_spawn(
      io, [&] { return rounds.next(group, round); },
      [&](const std::exception_ptr& error) {
        try {
          if (error) { std::rethrow_exception(error); }
        } catch (const mdl::Error& what) { failure = what.what(); }
      });
  io.run();
  io.restart();
  return failure;
}

}  // namespace

TEST_CASE("rounds that break off are joined again, and after ten in a row the job is given up with one error") {
  asio::io_context io;
  Notifier changed(io);
  Churn nodes(changed);
  RoundSequence rounds(nodes, changed);
  SECTION("nine") {
    nodes.broken_off = 9;
    CHECK(failure_of_next(io, rounds).empty());
    CHECK(nodes.rounds == 10);
    CHECK_FALSE(rounds.given_up());
  }
  SECTION("ten") {
    nodes.broken_off = 10;
    CHECK_THAT(failure_of_next(io, rounds), Catch::Contains("have changed 10 times in a row before"));
    CHECK(nodes.rounds == 10);
    CHECK(rounds.given_up());
  }
}

TEST_CASE("a round after a short one begins a second later, unless the job is closed meanwhile") {
  asio::io_context io;
  Notifier changed(io);
  Churn nodes(changed);
  RoundSequence rounds(nodes, changed);
  rounds.ended(9s);
  const auto began = Notifier::Clock::now();
  CHECK(failure_of_next(io, rounds).empty());
  CHECK(Notifier::Clock::now() - began >= 1s);
  rounds.ended(11s);
  CHECK(failure_of_next(io, rounds).empty());
  CHECK(nodes.rounds == 2);
}
