#include "launcher/hang/hang_verdict.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>
#include <map>
#include <optional>
#include <span>
#include <string_view>

#include "common/parse_number.hpp"
#include "common/str_cat.hpp"
#include "launcher/flight/rank_list.hpp"

namespace mdl::launcher::hang {
namespace {

using Cases = std::vector<RankCase>;
using Ranks = std::set<std::int64_t>;

// Of the time that it was looked at, a rank that sleeps computes so much at most. One that computes wants a CPU for
// half of the time at least, has one for so much, and for so many times as long as any that sleeps.
constexpr double kMostOfSleeping = 0.1;
constexpr double kLeastWanted = 0.5;
constexpr double kLeastOfComputing = 0.05;
constexpr double kTimesOfSleeping = 4;

Ranks select(const Cases& cases, const std::function<bool(const RankCase&)>& holds) {
  Ranks ranks;
  for (const RankCase& each : cases) {
    if (holds(each)) { ranks.insert(each.rank); }
  }
  return ranks;
}

const RankCase& case_of(const Cases& cases, std::int64_t rank) {
  return *std::find_if(cases.begin(), cases.end(), [&](const RankCase& each) { return each.rank == rank; });
}

/// " on node1", where all of them are there and others are not.
std::string place_of(const Cases& cases, const Ranks& ranks) {
  const std::string& host = case_of(cases, *ranks.begin()).host;
  bool elsewhere = false;
  for (const RankCase& each : cases) {
    if (each.host == host) { continue; }
    elsewhere = true;
    if (ranks.contains(each.rank)) { return {}; }
  }
  return elsewhere && !host.empty() ? str_cat(" on ", host) : std::string();
}

std::string names_of(const Ranks& ranks) {
  return flight::ranks_in_words({ranks.begin(), ranks.end()});
}

std::string named(const Cases& cases, const Ranks& ranks) {
  return names_of(ranks) + place_of(cases, ranks);
}

const char* is_or_are(const Ranks& ranks) {
  return ranks.size() == 1 ? " is " : " are ";
}

/// Those that the sentence is not about.
Ranks others_than(const Cases& cases, const Ranks& ranks) {
  return select(cases, [&](const RankCase& each) { return !ranks.contains(each.rank); });
}

/// ": ranks 0 to 2 wait for it".
std::string who_waits(const Cases& cases, const Ranks& ranks) {
  const Ranks others = others_than(cases, ranks);
  if (others.empty()) { return {}; }
  return str_cat(": ", names_of(others), others.size() == 1 ? " waits for " : " wait for ",
                 ranks.size() == 1 ? "it" : "them");
}

/// Fewer than half of all, so that they are the ones that stand out.
bool stand_out(const Ranks& ranks, std::size_t of) {
  return !ranks.empty() && 2 * ranks.size() < of;
}

bool has_ended(const RankCase& each) {
  return each.said.ended || (each.evidence && !each.evidence->end.empty());
}

/// Ranks that have made their last step and ended keep nobody waiting.
Cases without_finished(const Cases& cases) {
  Cases open;
  std::copy_if(cases.begin(), cases.end(), std::back_inserter(open), [](const RankCase& each) {
    // A total of 0 is none.
    return !(has_ended(each) && each.said.step && each.said.total.value_or(0) > 0 &&
             *each.said.step >= *each.said.total);
  });
  return open;
}

/// Without who waits.
HangVerdict end_of_some(const Cases& cases) {
  const Ranks gone = select(cases, has_ended);
  if (gone.empty() || gone.size() == cases.size()) { return {}; }
  const auto& first = case_of(cases, *gone.begin()).evidence;
  const std::string how = gone.size() == 1 && first && !first->end.empty() ? str_cat(" (", first->end, ")") : "";
  return {str_cat(named(cases, gone), gone.size() == 1 ? " has" : " have", " ended", how), gone};
}

/// What a state is called.
struct StateName {
  char state;
  const char* name;
};
constexpr StateName kHeldStates[] = {{'T', "stopped (state T)"}, {'t', "held by a debugger (state t)"}};
constexpr StateName kTellingStates[] = {{'Z', "dead but for some of its threads (state Z)"},
                                        {'D', "in a system call that cannot be interrupted (state D)"}};

/// " in its process python (pid 4711)", where it is not the worker itself.
std::string which_process(const RankCase& each) {
  const ProcessEvidence* process = telling_process(*each.evidence);
  std::string text;
  if (process != &each.evidence->processes.front()) {
    text = str_cat(", in its process ", process->name, " (pid ", process->pid, ")");
  }
  if (process->state == 'D' && !process->kernel_place.empty()) { text += str_cat(", in ", process->kernel_place); }
  return text;
}

/// Without who waits.
HangVerdict state_of_some(const Cases& cases, std::span<const StateName> states) {
  for (const StateName& state : states) {
    const Ranks ranks =
        select(cases, [&](const RankCase& each) { return each.evidence && state_of(*each.evidence) == state.state; });
    if (ranks.empty()) { continue; }
    const std::string who =
        ranks.size() == cases.size() && cases.size() > 1 ? "all ranks are " : named(cases, ranks) + is_or_are(ranks);
    const std::string where = ranks.size() == 1 ? which_process(case_of(cases, *ranks.begin())) : std::string();
    return {str_cat(who, state.name, where), ranks};
  }
  return {};
}

/// What the kernel shows of some ranks that leaves no doubt; empty: nothing of that kind.
HangVerdict kernel_tells(const Cases& cases) {
  HangVerdict verdict = state_of_some(cases, kHeldStates);
  if (verdict.sentence.empty()) { verdict = end_of_some(cases); }
  return verdict.sentence.empty() ? state_of_some(cases, kTellingStates) : verdict;
}

HangVerdict state_tells(const Cases& cases) {
  HangVerdict verdict = kernel_tells(cases);
  if (!verdict.sentence.empty()) { verdict.sentence += who_waits(cases, verdict.ranks); }
  return verdict;
}

/// "in section "checkpoint" since 74 s".
std::string in_section(const RankCase& each) {
  return str_cat("in section \"", each.said.section, "\" since ", std::lround(each.said.section_age.value_or(0)), " s");
}

std::map<std::string, Ranks> ranks_by_section(const Cases& cases) {
  std::map<std::string, Ranks> by_section;
  for (const RankCase& each : cases) {
    if (each.said.age) { by_section[each.said.section].insert(each.rank); }
  }
  return by_section;
}

/// Those in a section that the others are not in; or those in none, where the others are in the same one.
HangVerdict section_tells(const Cases& cases) {
  const std::map<std::string, Ranks> by_section = ranks_by_section(cases);
  if (by_section.size() < 2) { return {}; }
  const std::size_t known = select(cases, [](const RankCase& each) { return each.said.age.has_value(); }).size();
  for (const auto& [section, ranks] : by_section) {
    if (section.empty() || (known > 2 && !stand_out(ranks, known))) { continue; }
    return {str_cat(named(cases, ranks), is_or_are(ranks), in_section(case_of(cases, *ranks.begin())),
                    who_waits(cases, ranks)),
            ranks};
  }
  const auto& [none, apart] = *by_section.begin();
  if (!none.empty() || by_section.size() > 2 || !stand_out(apart, known)) { return {}; }
  const auto& [section, others] = *by_section.rbegin();
  return {str_cat(named(cases, apart), is_or_are(apart), "in no section, and ", names_of(others), is_or_are(others),
                  "in section \"", section, "\""),
          apart};
}

/// ", in section "checkpoint" since 74 s", where all of them are in it and no other rank is.
std::string section_apart(const Cases& cases, const Ranks& ranks) {
  const RankCase& first = case_of(cases, *ranks.begin());
  const bool apart = !first.said.section.empty() && ranks_by_section(cases)[first.said.section] == ranks;
  return apart ? ", " + in_section(first) : std::string();
}

HangVerdict step_tells(const Cases& cases) {
  std::map<std::int64_t, Ranks> by_step;
  std::size_t known = 0;
  for (const RankCase& each : cases) {
    if (!each.said.step) { continue; }
    by_step[*each.said.step].insert(each.rank);
    ++known;
  }
  if (by_step.size() < 2) { return {}; }
  const auto& [step, behind] = *by_step.begin();
  if (!stand_out(behind, known) && known > 2) { return {}; }
  return {str_cat(named(cases, behind), is_or_are(behind), "at step ", step, section_apart(cases, behind),
                  ", and the others have come to step ", by_step.rbegin()->first),
          behind};
}

/// Ranks that wait for a key of the workers' store, by that key, and those that are known to wait for none.
struct StoreWaits {
  std::map<std::string, Ranks> by_key{};
  Ranks waiting{};
  Ranks free{};
};

StoreWaits store_waits_of(const Cases& cases) {
  StoreWaits waits;
  for (const RankCase& each : cases) {
    if (!each.store_key.empty()) {
      waits.by_key[each.store_key].insert(each.rank);
      waits.waiting.insert(each.rank);
    } else if (each.waits_for_no_key) {
      waits.free.insert(each.rank);
    }
  }
  return waits;
}

/// The rank that sets the key, where it is one of those with which Gloo joins the default process group:
/// "default_pg/0//cpu//0/RANK". (Those of other groups have a further part, and ranks within the group.)
std::optional<std::int64_t> rank_that_joins(std::string_view key) {
  constexpr std::string_view kGroup = "default_pg/0//cpu//";
  const std::size_t at = key.rfind(kGroup);
  if (at == std::string_view::npos || (at > 0 && key[at - 1] != '/')) { return std::nullopt; }
  const std::string_view rest = key.substr(at + kGroup.size());
  const std::size_t slash = rest.find('/');
  if (slash == std::string_view::npos || !parse_digits<std::uint32_t>(rest.substr(0, slash))) { return std::nullopt; }
  return parse_digits<std::uint32_t>(rest.substr(slash + 1));
}

/// Who sets its key does so before it waits for those of the others.
HangVerdict joining_tells(const Cases& cases, const StoreWaits& waits) {
  for (const auto& [key, ranks] : waits.by_key) {
    const std::optional<std::int64_t> rank = rank_that_joins(key);
    if (!rank || waits.waiting.contains(*rank)) { continue; }
    const bool is_known = std::any_of(cases.begin(), cases.end(), [&](const RankCase& e) { return e.rank == *rank; });
    const Ranks missing{*rank};
    return {str_cat(is_known ? named(cases, missing) : names_of(missing), " has not joined the process group (",
                    "init_process_group), where ", names_of(ranks), ranks.size() == 1 ? " waits" : " wait",
                    " for it (store key \"", key, "\")"),
            missing};
  }
  return {};
}

HangVerdict store_tells(const Cases& cases) {
  const StoreWaits waits = store_waits_of(cases);
  if (waits.by_key.empty()) { return {}; }
  if (HangVerdict verdict = joining_tells(cases, waits); !verdict.sentence.empty()) { return verdict; }
  const auto& [key, ranks] =
      *std::max_element(waits.by_key.begin(), waits.by_key.end(),
                        [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); });
  const std::size_t known = waits.waiting.size() + waits.free.size();
  const char* wait = waits.waiting.size() == 1 ? " waits" : " wait";
  const char* and_others = waits.by_key.size() > 1 ? " and others" : "";
  if (stand_out(waits.free, known)) {
    return {str_cat(named(cases, waits.free), waits.free.size() == 1 ? " has" : " have", " not come to where ",
                    names_of(waits.waiting), wait, " (store key \"", key, "\"", and_others, ")"),
            waits.free};
  }
  if (2 * waits.free.size() == known) {
    return {str_cat(named(cases, waits.free), waits.free.size() == 1 ? " waits" : " wait",
                    " for no key of the workers' store, and ", names_of(waits.waiting), wait, " for \"", key, "\"",
                    and_others),
            waits.free};
  }
  for (const auto& [one, alone] : waits.by_key) {
    if (!stand_out(alone, known)) { continue; }
    return {str_cat(named(cases, alone), alone.size() == 1 ? " waits" : " wait", " for the store key \"", one,
                    "\", for which the others do not"),
            alone};
  }
  return {};
}

/// Of the time that it was looked at.
double share(const RankCase& each, double seconds) {
  return seconds / each.seconds;
}

bool wants_to_compute(const RankCase& each) {
  return share(each, each.evidence->cpu + each.evidence->queued) >= kLeastWanted;
}

/// Those that compute all the time as far as the kernel lets them, which may be little on a machine with more to do.
/// Not the state: who looks around now and then is found in state R by chance.
bool computes(const RankCase& each) {
  return share(each, each.evidence->cpu) >= kLeastOfComputing && wants_to_compute(each);
}

HangVerdict computing_tells(const Cases& cases) {
  Ranks computing, sleeping;
  double least_of_computing = 1e9, most_of_sleeping = 0;
  bool is_doubtful = false;  // one that hardly gets a CPU may spin or look around now and then
  for (const RankCase& each : cases) {
    if (!each.evidence || each.seconds <= 0) { return {}; }
    const double cpu = share(each, each.evidence->cpu);
    if (computes(each)) {
      computing.insert(each.rank);
      least_of_computing = std::min(least_of_computing, cpu);
    } else if (cpu <= kMostOfSleeping) {
      sleeping.insert(each.rank);
      most_of_sleeping = std::max(most_of_sleeping, cpu);
      is_doubtful = is_doubtful || wants_to_compute(each);
    } else {
      return {};
    }
  }
  const std::size_t known = cases.size();
  if (computing.empty() || sleeping.empty() || least_of_computing < kTimesOfSleeping * most_of_sleeping) { return {}; }
  if ((known == 2 && !is_doubtful) || stand_out(computing, known)) {
    return {str_cat(named(cases, computing), computing.size() == 1 ? " computes" : " compute", ", and ",
                    names_of(sleeping), sleeping.size() == 1 ? " sleeps" : " sleep"),
            computing};
  }
  if (is_doubtful || !stand_out(sleeping, known)) { return {}; }
  return {str_cat(named(cases, sleeping), sleeping.size() == 1 ? " sleeps" : " sleep", ", and ", names_of(computing),
                  computing.size() == 1 ? " computes" : " compute"),
          sleeping};
}

/// "4 in state S, which computed 0.02 s in 1 s".
std::string what_the_kernel_shows(const Cases& cases) {
  std::map<char, int> by_state;
  double cpu = 0;
  double seconds = 0;
  for (const RankCase& each : cases) {
    if (!each.evidence || each.evidence->processes.empty()) { continue; }
    ++by_state[state_of(*each.evidence)];
    cpu = std::max(cpu, each.evidence->cpu);
    seconds = std::max(seconds, each.seconds);
  }
  if (by_state.empty()) { return "no node has shown processes that run"; }
  std::string states;
  for (const auto& [state, count] : by_state) {
    states += str_cat(states.empty() ? "" : ", ", count, " in state ", state);
  }
  return str_cat("the kernel shows ", states, ", and at most ", std::round(cpu * 100) / 100, " s of CPU time in ",
                 std::round(seconds * 10) / 10, " s");
}

/// Where nothing tells `open` apart, which are those of `all` that have more to do.
HangVerdict nothing_tells(const Cases& open, const Cases& all, std::int64_t world_size) {
  const std::string kernel = what_the_kernel_shows(open);
  const Ranks ranks = others_than(open, {});
  const bool others_are_done = open.size() < all.size();
  if (open.size() > 1) {
    const std::string which = others_are_done ? str_cat(names_of(ranks), ", which alone have not made their last step,")
                                              : std::string("the ranks");
    return {str_cat("nothing tells ", which, " apart; ", kernel), {}};
  }
  if (others_are_done) { return {str_cat("only ", named(all, ranks), " has not made its last step; ", kernel), ranks}; }
  if (world_size > 1) { return {str_cat("nothing is known of other ranks than ", names_of(ranks), "; ", kernel), {}}; }
  return {str_cat("there is only one rank; ", kernel), {}};
}

HangVerdict verdict_without_records(const Cases& all, std::int64_t world_size) {
  if (all.empty()) { return {"nothing is known of any rank", {}}; }
  const Cases open = without_finished(all);
  const Cases& ranks = open.empty() ? all : open;
  for (const auto& rule : {state_tells, step_tells, section_tells, store_tells, computing_tells}) {
    if (HangVerdict verdict = rule(ranks); !verdict.sentence.empty()) { return verdict; }
  }
  return nothing_tells(ranks, all, world_size);
}

}  // namespace

HangVerdict hang_verdict(const std::vector<RankCase>& all, const flight::FlightVerdict& records,
                         std::int64_t world_size) {
  using Finding = flight::FlightVerdict::Finding;
  const Cases open = without_finished(all);
  const Cases& ranks = open.empty() ? all : open;
  HangVerdict others = verdict_without_records(all, world_size);
  if (records.finding == Finding::nothing || records.finding == Finding::idle) { return others; }
  if (records.finding == Finding::together) {
    return {str_cat(others.ranks.empty() ? "" : others.sentence + "; ", records.headline,
                    others.ranks.empty() ? str_cat("; ", what_the_kernel_shows(ranks)) : ""),
            others.ranks};
  }
  HangVerdict verdict{records.headline, {records.ranks.begin(), records.ranks.end()}};
  const HangVerdict kernel = kernel_tells(ranks);
  if (kernel.sentence.empty()) { return verdict; }
  // Who cannot answer has no record: why it cannot says more.
  const bool first = records.finding == Finding::unrecorded;
  return {first ? str_cat(kernel.sentence, "; ", verdict.sentence) : str_cat(verdict.sentence, "; ", kernel.sentence),
          first ? kernel.ranks : verdict.ranks};
}

}  // namespace mdl::launcher::hang
