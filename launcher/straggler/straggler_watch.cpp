#include "launcher/straggler/straggler_watch.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <utility>

#include "common/join.hpp"
#include "common/str_cat.hpp"
#include "launcher/progress/node_summary.hpp"
#include "launcher/progress/slow_rank.hpp"

namespace mdl::launcher::straggler {
namespace {

using progress::RankSummary;

constexpr int kLeastMessages = 2;  // one step that took long makes no slow rank
constexpr std::size_t kMostListed = 16;

std::string seconds_of_step(double seconds) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g s", seconds);
  return text;
}

std::map<std::string, std::vector<const Straggler*>> by_host(const std::vector<Straggler>& ranks) {
  std::map<std::string, std::vector<const Straggler*>> hosts;
  for (const Straggler& each : ranks) { hosts[each.host].push_back(&each); }
  return hosts;
}

std::vector<std::int64_t> numbers_of(const std::vector<const Straggler*>& ranks) {
  std::vector<std::int64_t> numbers;
  for (const Straggler* each : ranks) { numbers.push_back(each->rank); }
  return numbers;
}

std::string listed(const std::vector<std::int64_t>& ranks) {
  std::vector<std::string> words;
  for (std::size_t i = 0; i < std::min(ranks.size(), kMostListed); ++i) { words.push_back(std::to_string(ranks[i])); }
  if (ranks.size() > kMostListed) { words.emplace_back("…"); }
  return joined(words);
}

}  // namespace

std::vector<StragglerWatch::Judged> StragglerWatch::ranks_to_judge(const watch::JobView& view, std::size_t& senders) {
  std::vector<Judged> judged;
  for (const watch::NodeView& node : view.told) {
    for (std::size_t i = 0; i < node.ranks.size(); ++i) {
      const RankSummary& said = node.ranks[i];
      if (said.own && !said.ended) { ++senders; }
      if (!progress::can_be_compared(said, node.told_age, 0)) { continue; }
      const std::int64_t number = node.first_rank + static_cast<std::int64_t>(i);
      judged.push_back({{number, node.host, *said.own, 0, said.gpu}, &said});
    }
  }
  return judged;
}

bool StragglerWatch::count(Slow& slow, const RankSummary& said, Time now) const {
  if (slow.counted) { slow.lasted += now - *slow.counted; }
  slow.counted = now;
  if (slow.last_step && slow.last_step != said.own_step) { ++slow.messages; }
  slow.last_step = said.own_step;
  return slow.lasted >= lasting_ && slow.messages >= kLeastMessages;
}

StragglerWatch::Change StragglerWatch::look(const watch::JobView& view) {
  if (view.round != round_) { slow_.clear(); }
  round_ = view.round;

  for (const auto& [rank, is_slow] : view.told_slow) {
    if (is_slow) {
      slow_[rank].told = true;
    } else if (const auto known = slow_.find(rank); known != slow_.end() && known->second.told) {
      slow_.erase(known);
    }
  }

  Change change;
  std::size_t senders = 0;
  std::vector<Judged> judged = ranks_to_judge(view, senders);
  std::vector<const RankSummary*> said;
  for (const Judged& each : judged) { said.push_back(each.said); }
  const progress::SlowMeasure measure(said, senders);
  if (!measure.judges()) { judged.clear(); }
  std::map<std::int64_t, Slow> before = std::exchange(slow_, {});
  for (Judged& each : judged) {
    each.rank.median = *measure.median();
    auto known = before.extract(each.rank.rank);
    if (known && known.mapped().told) {
      if (measure.takes_long(*each.said, progress::kNoLongerSlowTimes)) {
        slow_.insert(std::move(known));
      } else {
        change.recovered.push_back(std::move(each.rank));
      }
    } else if (measure.is_slow(*each.said)) {
      Slow& slow = slow_[each.rank.rank];
      if (known) { slow = known.mapped(); }
      slow.told = count(slow, *each.said, view.at) && measure.takes_long_lately(*each.said);
      if (slow.told) { change.slow.push_back(std::move(each.rank)); }
    }
  }
  for (auto& [rank, slow] : before) {
    slow.counted.reset();
    slow_.emplace(rank, slow);
  }
  return change;
}

std::vector<HostLine> describe_stragglers(const std::vector<Straggler>& slow) {
  std::vector<HostLine> lines;
  for (const auto& [host, ranks] : by_host(slow)) {
    const Straggler& worst = **std::ranges::max_element(ranks, {}, [](const Straggler* each) { return each->own; });
    const std::string times = str_cat(seconds_of_step(worst.own), " of its own a step; the median of all ranks is ",
                                      seconds_of_step(worst.median));
    std::string line = ranks.size() == 1
                           ? str_cat("rank ", worst.rank, " on ", host, " is slow: ", times, ". The others wait for it")
                           : str_cat(ranks.size(), " ranks on ", host, " are slow, the most of them rank ", worst.rank,
                                     ": ", times, ". The others wait for them");
    if (!worst.gpu.empty()) { line += str_cat(". Its GPU: ", worst.gpu); }
    lines.push_back({std::move(line), numbers_of(ranks)});
  }
  return lines;
}

std::vector<HostLine> describe_recovered(const std::vector<Straggler>& recovered) {
  std::vector<HostLine> lines;
  for (const auto& [host, ranks] : by_host(recovered)) {
    std::vector<std::int64_t> numbers = numbers_of(ranks);
    std::string line = numbers.size() == 1
                           ? str_cat("rank ", numbers.front(), " on ", host, " is slow no longer")
                           : str_cat(numbers.size(), " ranks on ", host, " are slow no longer: ", listed(numbers));
    lines.push_back({std::move(line), std::move(numbers)});
  }
  return lines;
}

}  // namespace mdl::launcher::straggler
