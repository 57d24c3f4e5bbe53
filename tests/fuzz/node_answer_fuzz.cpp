// What nodes ask each other in the job's store, and answer, or strangers put there: evidence of a hang, and the last
// lines of stderr. A line is one of them, or a node's summary, beside which the report of a hang shows the evidence.
#include "launcher/dashboard/stderr_lines.hpp"
#include "launcher/hang/evidence_board.hpp"
#include "launcher/hang/hang_report.hpp"
#include "launcher/hang/hang_verdict.hpp"
#include "launcher/hang/rank_cases.hpp"
#include "launcher/output/last_lines.hpp"
#include "launcher/progress/node_summary.hpp"
#include "launcher/watch/node_views.hpp"
#include "tests/fuzz/fuzz_input.hpp"

namespace {

using namespace mdl::launcher;
using mdl::fuzz::claim;
using mdl::fuzz::claim_printable;
using Answers = hang::EvidenceBoard::Answers;
using output::LastLines;

constexpr std::size_t kLongestWord = 64;
constexpr std::size_t kLongestLine = 8192;
constexpr std::int64_t kLargestNumber = std::int64_t{1} << 62;

void claim_count(std::int64_t count) {
  claim(count >= 0 && count <= kLargestNumber, "a number is none below 0");
}

void claim_seconds(double seconds) {
  claim(seconds >= 0 && seconds <= 1e9, "a time can be one");
}

void claim_texts(const std::vector<std::string>& texts, std::size_t most, std::size_t longest) {
  claim(texts.size() <= most, "texts are bounded");
  for (const std::string& text : texts) { claim_printable(text, longest); }
}

void claim_sound(const hang::RankEvidence& rank) {
  claim_printable(rank.end, kLongestWord);
  claim_seconds(rank.cpu);
  claim_count(rank.process_count);
  claim(rank.processes.size() <= hang::kMostProcesses, "processes are bounded");
  for (const hang::ProcessEvidence& process : rank.processes) {
    claim_count(process.pid);
    claim_count(process.threads);
    claim_seconds(process.cpu);
    claim_printable(process.name, kLongestWord);
    claim_printable(process.kernel_place, kLongestWord);
    claim(process.state > ' ' || process.state == ' ', "a state is a letter");
  }
  claim_texts(rank.store_sockets, hang::kMostStoreSockets, kLongestWord);
  claim_texts(rank.traceback, hang::kMostTracebackLines, hang::kLongestTracebackLine);
}

void claim_sound(const hang::NodeEvidence& node) {
  claim_printable(node.host, 256);
  claim_seconds(node.seconds);
  for (const std::int64_t count : {node.request, node.group_rank, node.first_rank}) { claim_count(count); }
  for (const hang::RankEvidence& rank : node.ranks) { claim_sound(rank); }
  const std::string text = hang::to_text(node);
  claim(text.size() <= 1024 + 8192 * node.ranks.size(), "what is told of a rank is bounded");
  const auto again = hang::node_evidence_from_text(text);
  claim(again && hang::to_text(*again) == text, "what was read can be told again");
}

/// What is not evidence.
void ask(std::string_view text) {
  if (const auto request = hang::evidence_request_from_text(text)) {
    claim_count(request->number);
    claim_count(request->round);
    claim(hang::evidence_request_from_text(to_text(*request)) == request, "a request can be told again");
  }
  if (const auto request = dashboard::lines_request_from_text(text)) {
    claim_count(request->number);
    claim_count(request->rank);
    const bool digits = request->asker.find_first_not_of("0123456789abcdef") == std::string::npos;
    claim(!request->asker.empty() && request->asker.size() <= 32 && digits, "an asker is part of a key");
    claim(dashboard::lines_request_from_text(to_text(*request)) == request, "a question can be told again");
  }
  if (const auto answer = dashboard::lines_answer_from_text(text)) {
    claim_count(answer->number);
    claim_texts(answer->lines, LastLines::kLines, LastLines::kLineBytes);
    claim(dashboard::lines_answer_from_text(to_text(*answer)) == answer, "an answer can be told again");
  }
}

/// The report of a hang, as the node that watches makes it.
void report(const watch::JobView& view, const Answers& answers) {
  hang::HangRule rule{hang::HangLimits{}};
  rule.begin();
  hang::HangReport report;
  report.finding = rule.look(view);
  report.ranks = hang::rank_cases(view, answers);
  mdl::rendezvous::server::StoreWait wait;
  wait.peer = "127.0.0.1:7";
  wait.keys = {"a key"};
  hang::join_store_waits(report.ranks, {wait});
  report.missing = hang::missing_nodes(view, answers, std::chrono::seconds(1));
  const flight::FlightVerdict records = flight::flight_verdict(hang::records_of(report.ranks), view.world_size);
  report.verdict = hang::hang_verdict(report.ranks, records, view.world_size).sentence;
  report.records = records.details;
  claim(!report.verdict.empty(), "there is always something to say of a hang");
  claim_printable(hang::headline(report), kLongestLine);
  for (const std::string& line : hang::rank_lines(report)) { claim_printable(line, kLongestLine); }
  mdl::fuzz::claim_printable_lines(hang::report_text(report), kLongestLine);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view bytes = mdl::fuzz::text_of(data, size);
  watch::NodeViews views;
  Answers answers;
  views.begin(1);
  const watch::JobView::Clock::time_point now{std::chrono::hours(1)};
  while (!bytes.empty()) {
    const std::size_t end = std::min(bytes.find('\n'), bytes.size());
    const std::string_view text = bytes.substr(0, end);
    bytes.remove_prefix(std::min(end + 1, bytes.size()));
    ask(text);
    if (auto summary = progress::node_summary_from_text(text)) { views.take(std::move(*summary), now); }
    if (const auto evidence = hang::node_evidence_from_text(text)) {
      claim_sound(*evidence);
      answers.insert_or_assign(evidence->group_rank, *evidence);
    }
  }
  watch::JobView view;
  view.at = now + std::chrono::seconds(100);
  view.since_start = std::chrono::hours(1);
  view.nodes = 3;
  view.world_size = 3;
  view.told = views.at(view.at);
  report(view, answers);
  return 0;
}
