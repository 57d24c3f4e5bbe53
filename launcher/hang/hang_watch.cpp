#include "launcher/hang/hang_watch.hpp"

#include <algorithm>
#include <cmath>
#include <exception>
#include <map>
#include <utility>

#include "common/error.hpp"
#include "common/exception_text.hpp"
#include "common/join.hpp"
#include "common/log.hpp"
#include "common/str_cat.hpp"
#include "launcher/hang/evidence_board.hpp"
#include "launcher/hang/hang_verdict.hpp"
#include "launcher/hang/rank_cases.hpp"
#include "launcher/hang/report_file.hpp"

namespace mdl::launcher::hang {
namespace {

using Clock = std::chrono::steady_clock;
using What = HangFinding::What;

constexpr std::chrono::seconds kFreshReport{15};  // so old a report says why the workers are ended
constexpr std::size_t kMostRankLines = 16;        // of the log; the file has all

}  // namespace

/// Shared with the coroutine that reports, which may end a little after its owner.
struct HangWatch::Session {
  Session(const EvidenceGatherer& evidence, HangLimits hang_limits, HangSurroundings surroundings)
      : gatherer(evidence),
        limits(hang_limits),
        rule(hang_limits),
        around(std::move(surroundings)),
        board(around.job) {}

  /// Asks the other nodes. Throws Error.
  asio::awaitable<EvidenceRequest> ask_others(job::StoreLink& link) {
    co_await link.open();
    co_return co_await board.ask(link.store(), round.number);
  }

  /// What the workers of all nodes do.
  asio::awaitable<EvidenceBoard::Answers> ask_all() {
    const auto deadline = Clock::now() + kAnswers;
    const watch::WatchedRound asked = round;
    job::StoreLink link(around.place);
    std::optional<EvidenceRequest> request;
    EvidenceBoard::Answers answers;
    try {
      if (asked.nodes > 1) { request = co_await ask_others(link); }
    } catch (const Error& error) { tell_trouble(error); }
    NodeEvidence own = co_await gatherer.gather(0);
    try {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
      if (request) { answers = co_await board.collect(link.store(), *request, asked.nodes, asked.group_rank, left); }
    } catch (const Error& error) { tell_trouble(error); }
    answers.insert_or_assign(asked.group_rank, std::move(own));
    co_return answers;
  }

  static void tell_trouble(const Error& error) {
    log::info("asking the job's other nodes what their workers do: ", error.problem());
  }

  /// All that is known, and what follows.
  HangReport make_report(const EvidenceBoard::Answers& answers) {
    HangReport report;
    report.number = ++reports;
    report.job = around.job;
    report.round = round.number;
    report.at = std::chrono::system_clock::now();
    report.finding = finding;
    report.ranks = rank_cases(view, answers);
    join_store_waits(report.ranks, around.store_waits());
    report.missing = missing_nodes(view, answers, kAnswers);
    const flight::FlightVerdict records = flight::flight_verdict(records_of(report.ranks), view.world_size);
    if (records.finding != flight::FlightVerdict::Finding::nothing) { report.records = records.details; }
    verdict = hang_verdict(report.ranks, records, view.world_size);
    report.verdict = verdict.sentence;
    accused = accused_rank(report.ranks);
    return report;
  }

  /// Of those that the verdict names one of this node, as far as there is one.
  std::optional<process::JobHang::Rank> accused_rank(const std::vector<RankCase>& ranks) const {
    const RankCase* found = nullptr;
    for (const RankCase& each : ranks) {
      if (!verdict.ranks.contains(each.rank)) { continue; }
      if (!found || (found->node != round.group_rank && each.node == round.group_rank)) { found = &each; }
    }
    if (!found) { return std::nullopt; }
    const bool has_process = found->evidence && !found->evidence->processes.empty();
    return process::JobHang::Rank{found->rank, found->local_rank,
                                  has_process ? found->evidence->processes.front().pid : 0, found->host};
  }

  void tell(const HangReport& report) {
    reported_at = Clock::now();
    log::warning(headline(report));
    const std::vector<std::string> lines = rank_lines(report);
    for (std::size_t i = 0; i < std::min(lines.size(), kMostRankLines); ++i) { log::warning("  ", lines[i]); }
    if (lines.size() > kMostRankLines) { log::warning("  and ", counted(lines.size() - kMostRankLines, "more rank")); }
    around.happened(str_cat(progress::kHangText, verdict.sentence), facts(report));
  }

  /// For those who show the job.
  progress::HangFacts facts(const HangReport& report) const {
    using std::chrono::milliseconds;
    const auto idle = std::chrono::round<milliseconds>(finding.idle.step);
    progress::HangFacts facts;
    facts.since = std::chrono::floor<milliseconds>(std::chrono::system_clock::now()) - idle;
    facts.ranks = {verdict.ranks.begin(), verdict.ranks.end()};
    facts.round = report.round;
    facts.step = highest_step(report.ranks);
    return facts;
  }

  void tell_end() {
    const std::string what = str_cat("the job goes on after all: there was ", idle_text(finding.idle));
    log::news(what);
    around.happened(what, std::nullopt);
    reported_at.reset();
  }

  /// Whether the finding is that of a hang.
  bool hangs() const { return finding.what == What::begins || finding.what == What::goes_on; }
  /// Whether it has to be told now: once, and again before it ends the workers long after.
  bool is_to_be_told() const {
    const bool fresh = reported_at && Clock::now() - *reported_at < kFreshReport;
    return hangs() && !reporting && (!reported_at || (finding.must_end && !fresh));
  }

  /// With the user's limit.
  void end_workers() {
    around.end_workers({str_cat(idle_text(finding.idle), " (--hang-timeout ", std::lround(limits.timeout->count()),
                                "): ", verdict.sentence),
                        accused});
  }

  const EvidenceGatherer& gatherer;
  const HangLimits limits;
  HangRule rule;
  const HangSurroundings around;
  const EvidenceBoard board;
  watch::WatchedRound round{};
  bool active = false;  ///< between begin() and end()
  std::uint64_t attempt = 0;
  bool reporting = false;
  watch::JobView view{};  ///< the last one
  HangFinding finding{};  ///< of it
  int reports = 0;
  HangVerdict verdict{};                            ///< of the last one
  std::optional<process::JobHang::Rank> accused{};  ///< by it
  std::optional<Clock::time_point> reported_at{};   ///< in this hang
};

HangWatch::HangWatch(asio::io_context& io, const EvidenceGatherer& gatherer, HangLimits limits, HangSurroundings around)
    : io_(io), session_(std::make_shared<Session>(gatherer, limits, std::move(around))) {}

HangWatch::~HangWatch() {
  end();
}

void HangWatch::begin(watch::WatchedRound round) {
  end();
  session_->active = true;
  session_->round = round;
  session_->rule.begin();
}

void HangWatch::end() {
  session_->active = false;
  ++session_->attempt;
  session_->reported_at.reset();
  session_->finding = HangFinding();
}

std::chrono::milliseconds HangWatch::look(const watch::JobView& view) {
  Session& session = *session_;
  if (!session.active) { return std::chrono::hours(1); }
  session.view = view;
  session.finding = session.rule.look(view);
  if (session.finding.what == What::over && session.reported_at) { session.tell_end(); }
  if (session.is_to_be_told()) {
    session.reporting = true;
    asio::co_spawn(io_, report(session_), [session = session_](const std::exception_ptr& failure) {
      session->reporting = false;
      try {
        if (failure) { std::rethrow_exception(failure); }
      } catch (const std::exception& error) { log::info("the report of a hang: ", describe_exception(error)); }
    });
  } else if (session.finding.must_end && !session.reporting) {
    session.end_workers();
  }
  return session.finding.next;
}

asio::awaitable<void> HangWatch::report(std::shared_ptr<Session> session) {
  const std::uint64_t attempt = session->attempt;
  const auto still = [&] { return session->attempt == attempt && session->hangs(); };
  const EvidenceBoard::Answers answers = co_await session->ask_all();
  if (!still()) { co_return; }
  HangReport report = session->make_report(answers);
  session->tell(report);
  std::filesystem::path folder = session->around.folder();
  if (!folder.empty()) {
    const std::filesystem::path file = co_await write_report_file(std::move(report), std::move(folder));
    if (!file.empty()) { log::warning("  the report is ", file.string()); }
  }
  if (still() && session->finding.must_end) { session->end_workers(); }
}

}  // namespace mdl::launcher::hang
