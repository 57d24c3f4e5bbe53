// What a node makes of a worker's datagrams, and status of what a stranger has put where nodes tell of them.
#include <cmath>

#include "launcher/progress/job_event.hpp"
#include "launcher/progress/node_summary.hpp"
#include "launcher/progress/rank_progress.hpp"
#include "tests/fuzz/fuzz_input.hpp"

namespace {

using namespace mdl::launcher::progress;
using mdl::fuzz::claim;

void claim_printable(const std::string& text, std::size_t most) {
  claim(text.size() <= most, "a text is bounded");
  for (const char c : text) { claim(c == '\t' || static_cast<unsigned char>(c) >= 0x20, "a text steers no terminal"); }
}

void claim_sound(const RankSummary& rank) {
  claim_printable(rank.section, kLongestSection);
  for (const auto& count : {rank.step, rank.total, rank.samples}) {
    claim(!count || *count >= 0, "a count is none below 0");
  }
  for (const auto& seconds : {rank.own, rank.waiting, rank.age, rank.step_age, rank.samples_per_s, rank.section_age}) {
    claim(!seconds || (*seconds >= 0 && !std::isnan(*seconds)), "a time is none below 0");
  }
}

/// Lines as datagrams, some milliseconds apart.
void hear(std::string_view bytes, int distance_ms) {
  RankProgress progress;
  RankProgress::Time now{std::chrono::hours(1)};
  int datagrams = 0;
  int taken = 0;
  while (!bytes.empty()) {
    const std::size_t end = std::min(bytes.find('\n'), bytes.size());
    ++datagrams;
    taken += progress.take(bytes.substr(0, end), now) ? 1 : 0;
    bytes.remove_prefix(std::min(end + 1, bytes.size()));
    now += std::chrono::milliseconds(distance_ms);
  }
  NodeSummary node;
  node.ranks.push_back(progress.summary(now));
  claim_sound(node.ranks[0]);
  claim(node.ranks[0].dropped == datagrams - taken, "what is not read is counted");
  claim(node.ranks[0].wrong <= taken, "what is read and wrong is counted");
  const auto read = node_summary_from_text(to_text(node));
  claim(read && read->ranks.size() == 1, "what a node tells can be read");
  claim(read->ranks[0].step == node.ranks[0].step && read->ranks[0].section == node.ranks[0].section,
        "and is the same");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) { return 0; }
  const std::string_view bytes = mdl::fuzz::text_of(data + 1, size - 1);
  hear(bytes, data[0]);
  if (const auto node = node_summary_from_text(bytes)) {
    claim_printable(node->host, 256);
    for (const RankSummary& rank : node->ranks) { claim_sound(rank); }
    claim(node_summary_from_text(to_text(*node)).has_value(), "what was read can be told again");
  }
  if (const auto event = job_event_from_text(bytes)) {
    claim_printable(event->text, kLongestEventText);
    claim_printable(event->host, 256);
    claim_printable(event->kind, 32);
    claim(job_event_from_text(to_text(*event)).has_value(), "an event that was read can be told again");
  }
  return 0;
}
