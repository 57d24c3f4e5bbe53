#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "common/loop/asio.hpp"
#include "common/loop/notifier.hpp"
#include "launcher/dashboard/stderr_board.hpp"
#include "launcher/job/store_link.hpp"

namespace mdl::launcher::dashboard {

/// Asks nodes, for those who look at the page, for the last lines that a worker has written to stderr: one question
/// after the other, and about one rank at most once a second, however many look at it.
class StderrAsker {
 public:
  static constexpr std::chrono::milliseconds kLimit{3'000};  ///< for an answer
  static constexpr std::chrono::milliseconds kFresh{1'000};

  StderrAsker(asio::io_context& io, const std::string& run_id, job::PlaceOfStore place);

  /// Tells the nodes in the job's store that there is a page, at the one that is reached now. Does not throw.
  asio::awaitable<void> announce();
  /// The answer to /stderr, in JSON: {"rank":3,"time":…,"lines":[…]}, or {"rank":3,"error":"no_answer","seconds":3}.
  /// Does not throw.
  asio::awaitable<std::string> lines_of(std::int64_t rank, std::int64_t node);

 private:
  asio::awaitable<std::optional<LinesAnswer>> ask(std::int64_t rank, std::int64_t node);

  const StderrBoard board_;
  job::StoreLink link_;
  loop::Notifier free_;
  bool asking_ = false;
  LinesRequest request_{};  ///< the last one
  std::string answer_{};    ///< to it
  std::optional<loop::Notifier::Clock::time_point> answered_at_{};
};

}  // namespace mdl::launcher::dashboard
