#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/loop/asio.hpp"
#include "launcher/job/store_link.hpp"

namespace mdl::launcher::dashboard {

/// How long what takes.
struct GiverPace {
  /// After the workers' start it looks whether there is a page; nodes not all at once, but up to as much later.
  std::chrono::milliseconds first{2'000};
  std::chrono::milliseconds wait{60'000};     ///< for a question, until it waits anew
  std::chrono::milliseconds apart{200};       ///< answers
  std::chrono::milliseconds again{5'000};     ///< after the store was not reached, then twice as long, and so on,
  std::chrono::milliseconds longest{60'000};  ///< but no longer
};

/// Answers pages that ask what this node's workers have written to stderr. Where the job has no page it looks once
/// after the workers' start, and that is all; else it holds a connection to the store on which it waits. What goes
/// wrong is logged and tried again later.
class StderrGiver {
 public:
  /// The last lines of the worker with that local rank.
  using Lines = std::function<std::vector<std::string>(int local_rank)>;

  /// `io`'s coroutines must end before what `place` and `lines` refer to.
  StderrGiver(asio::io_context& io, const std::string& run_id, job::PlaceOfStore place, Lines lines,
              GiverPace pace = {});
  ~StderrGiver();
  StderrGiver(const StderrGiver&) = delete;
  StderrGiver& operator=(const StderrGiver&) = delete;

  /// The workers of this node, from now on.
  struct Group {
    std::int64_t node = 0;  ///< its rank among the nodes
    std::int64_t first_rank = 0;
    int workers = 0;
  };
  void begin(Group group);

 private:
  struct Session;
  static asio::awaitable<void> run(std::shared_ptr<Session> session);

  asio::io_context& io_;
  std::function<std::shared_ptr<Session>(Group)> make_session_;
  std::shared_ptr<Session> session_{};
};

}  // namespace mdl::launcher::dashboard
