#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "common/loop/asio.hpp"
#include "common/loop/notifier.hpp"
#include "launcher/dashboard/series_history.hpp"
#include "launcher/job/store_link.hpp"

namespace mdl::launcher::dashboard {

/// Somebody who looks at the page; he does for as long as this lives.
struct Reader {
  std::uint64_t frame = 0;  ///< the number of the last one that he has got
};

/// Keeps what a page shows of a job: reads the job's store once a second, over a connection of its own, and of a job
/// with very many ranks less often: at most kRanksASecond. While nobody looks it reads only what rank 0 says, for the
/// curves. What goes wrong is told to those who look, and tried again; the last thing that they get is how the job has
/// ended, for which the host of the store waits a moment.
class JobFeed {
 public:
  static constexpr std::int64_t kRanksASecond = 2000;

  /// `where` and `script` are shown: where people find the job, and what its workers run. `io`'s coroutines must end
  /// before what `place` refers to.
  JobFeed(asio::io_context& io, const std::string& run_id, const std::string& where, const std::string& script,
          job::PlaceOfStore place);
  ~JobFeed();
  JobFeed(const JobFeed&) = delete;
  JobFeed& operator=(const JobFeed&) = delete;

  std::shared_ptr<Reader> begin_to_read();
  void has_got(Reader& reader, std::uint64_t frame);

  /// What is shown, as server-sent events; changed() is notified when it becomes another. Without events: nothing yet.
  struct Frame {
    std::uint64_t number = 0;
    std::shared_ptr<const std::string> events{};
  };
  const Frame& frame() const;
  const SeriesHistory& history() const;
  /// The launcher ends, by a signal ("SIGINT") or of itself (""): those who look are told, as long as they do not know
  /// how the job has ended, and are waited for a moment.
  asio::awaitable<void> launcher_ends(std::string signal);
  loop::Notifier& changed();
  /// Where a rank is.
  struct RankSought {
    bool known = false;                  ///< which ranks the job has: a round goes on, and its store was read
    std::optional<std::int64_t> node{};  ///< that has it; nullopt: none
  };
  static constexpr std::chrono::milliseconds kSeek{3'000};
  /// By the last look; where nobody has looked yet or lately, the store is read first, for kSeek at most.
  asio::awaitable<RankSought> find_rank(std::int64_t rank);

 private:
  struct Session;
  static asio::awaitable<void> run(std::shared_ptr<Session> session);

  std::shared_ptr<Session> session_;
};

}  // namespace mdl::launcher::dashboard
