#include "launcher/hang/hang_report.hpp"

#include <array>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <utility>

#include "common/atomic_file.hpp"
#include "common/join.hpp"
#include "common/str_cat.hpp"
#include "launcher/flight/group_view.hpp"

namespace mdl::launcher::hang {
namespace {

constexpr std::size_t kMostEntries = 6;  // of a group, that are shown of a rank
constexpr double kLeastQueued = 0.1;     // of the time, that is told

std::string seconds_text(double seconds) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), seconds < 1 ? "%.2f s" : seconds < 10 ? "%.1f s" : "%.0f s", seconds);
  return text.data();
}

std::string hundredths(double seconds) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.2f", seconds);
  return text.data();
}

std::string local_time_of(std::chrono::system_clock::time_point at) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(at);
  std::tm parts{};
  localtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &parts);
  return text.data();
}

std::string why_it_counts(const HangFinding& finding) {
  std::string text = str_cat("more than ", seconds_text(finding.limit.count()), " is a hang");
  if (finding.longest.count() > 0) {
    text += str_cat("; the longest step of this attempt took ", seconds_text(finding.longest.count()));
  }
  return text;
}

std::string whole_seconds(double seconds) {
  return str_cat(std::lround(seconds), " s");
}

/// "75 s", and what counts where that is not the last step.
std::string since_text(const IdleTime& idle, std::string (*in_words)(double)) {
  std::string text = in_words(idle.step.count());
  if (idle.from == IdleTime::From::section_end) {
    text += str_cat("; the last section ended ", in_words(idle.time.count()), " ago");
  } else if (idle.from == IdleTime::From::section_time) {
    text += str_cat("; the time of the last section was over ", in_words(idle.time.count()), " ago");
  }
  return text;
}

std::string said_text(const progress::RankSummary& said) {
  if (!said.age) { return "has told nothing of its progress"; }
  std::string text = said.step ? str_cat("step ", *said.step) : std::string("no step");
  if (said.step_age) { text += str_cat(" ", seconds_text(*said.step_age), " ago"); }
  if (!said.section.empty()) {
    text += str_cat(", in section \"", said.section, "\" for ", seconds_text(said.section_age.value_or(0)));
    text += said.section_seconds ? str_cat(" of at most ", seconds_text(*said.section_seconds))
                                 : std::string(", without a time of its own");
  } else if (said.section_left_age) {
    text += str_cat(", left a section ", seconds_text(*said.section_left_age), " ago");
  }
  if (!said.gpu.empty()) { text += str_cat("; GPU: ", said.gpu); }
  return text;
}

std::string process_text(const ProcessEvidence& process, double seconds) {
  std::string text = str_cat(process.name, " (pid ", process.pid, ") in state ", process.state, ", CPU ",
                             hundredths(process.cpu), " s of ", seconds_text(seconds), ", ");
  if (process.queued >= kLeastQueued * seconds) {
    text += str_cat("waited ", hundredths(process.queued), " s for it, ");
  }
  text += counted(process.threads, "thread");
  if (!process.kernel_place.empty()) { text += str_cat(", kernel: ", process.kernel_place); }
  return text;
}

std::string evidence_text(const RankCase& each) {
  if (!each.evidence) {
    return each.said.ended ? "; its process has ended; its node has not shown how"
                           : "; its node has shown nothing of its processes";
  }
  const RankEvidence& evidence = *each.evidence;
  std::string text;
  if (!evidence.end.empty()) { text += str_cat("; ended with ", evidence.end); }
  for (const ProcessEvidence& process : evidence.processes) {
    text += str_cat("; ", process_text(process, each.seconds));
  }
  const std::int64_t rest = evidence.process_count - static_cast<std::int64_t>(evidence.processes.size());
  if (rest > 0) {
    text +=
        str_cat("; ", counted(rest, "more process", "more processes"), ", CPU of all ", hundredths(evidence.cpu), " s");
  }
  if (!each.store_key.empty()) {
    text += str_cat("; waits for the store key \"", each.store_key, "\" for ", seconds_text(each.store_wait));
  }
  return text;
}

const char* state_text(flight::FlightState state) {
  switch (state) {
    case flight::FlightState::scheduled:
      return "not done";
    case flight::FlightState::started:
      return "started, not done";
    case flight::FlightState::completed:
      return "done";
  }
  return "";
}

std::string record_text(const flight::FlightRecord& record) {
  std::string text;
  for (const flight::FlightGroup& group : record.groups) {
    const std::size_t first = group.entries.size() > kMostEntries ? group.entries.size() - kMostEntries : 0;
    for (std::size_t i = first; i < group.entries.size(); ++i) {
      const flight::FlightEntry& entry = group.entries[i];
      text += str_cat("  process group ", group.name, group.description.empty() ? "" : " (" + group.description + ")",
                      ", ", group.library, ": ", flight::operation_in_words(entry.operation, entry.sequence), " ",
                      entry.input_sizes, " ", entry.types, ", ", state_text(entry.state), "\n");
    }
  }
  return text;
}

}  // namespace

std::string idle_text(const IdleTime& idle) {
  return str_cat("no step for ", since_text(idle, whole_seconds));
}

std::string headline(const HangReport& report) {
  const IdleTime& idle = report.finding.idle;
  return str_cat("the job hangs: ", report.verdict, ". No rank ", idle.others_later ? "that still runs " : "",
                 "has made a step for ", since_text(idle, seconds_text), " (", why_it_counts(report.finding), ")");
}

std::vector<std::string> rank_lines(const HangReport& report) {
  std::vector<std::string> lines;
  for (const RankCase& each : report.ranks) {
    lines.push_back(str_cat("rank ", each.rank, each.host.empty() ? "" : " on ", each.host, ": ", said_text(each.said),
                            evidence_text(each)));
  }
  for (const std::string& missing : report.missing) { lines.push_back(missing); }
  return lines;
}

std::string report_text(const HangReport& report) {
  std::string text = str_cat(headline(report), "\n\nJob \"", report.job, "\", round ", report.round, ", ",
                             local_time_of(report.at), "\n\n");
  for (const std::string& line : rank_lines(report)) { text += line + "\n"; }
  if (!report.records.empty()) { text += "\nRecords of collectives:\n"; }
  for (const std::string& line : report.records) { text += line + "\n"; }
  for (const RankCase& each : report.ranks) {
    if (!each.evidence) { continue; }
    if (each.evidence->record) {
      text += str_cat("\nLast collectives of rank ", each.rank, ", the newest last:\n",
                      record_text(*each.evidence->record));
    }
    if (each.evidence->traceback.empty()) { continue; }
    text += str_cat("\nPython threads of rank ", each.rank, ":\n");
    for (const std::string& line : each.evidence->traceback) { text += str_cat("  ", line, "\n"); }
  }
  return text;
}

std::filesystem::path report_path(const HangReport& report, const std::filesystem::path& folder) {
  return folder / str_cat("hang_", report.number, ".txt");
}

void write_report(const HangReport& report, const std::filesystem::path& folder) {
  write_text_atomically(report_path(report, folder), report_text(report));
}

}  // namespace mdl::launcher::hang
