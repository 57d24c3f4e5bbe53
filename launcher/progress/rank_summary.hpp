#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace mdl::launcher::progress {

/// What is known of one worker: what it has said last, and what follows from what it has said over some time. Times are
/// in seconds. What is not known is nullopt.
struct RankSummary {
  std::optional<std::int64_t> step{};
  std::optional<std::int64_t> total{};
  std::optional<double> loss{};  ///< may be NaN or infinite
  std::optional<std::int64_t> samples{};
  std::optional<double> samples_per_s{};
  std::optional<double> steps_per_s{};
  std::optional<double> own{};           ///< of a step, outside collectives
  std::optional<double> waiting{};       ///< of a step, in collectives
  std::optional<double> age{};           ///< of its last message; nullopt: it has sent none
  std::optional<double> step_age{};      ///< since it has made a step
  std::optional<double> longest_step{};  ///< the longest time between two steps so far, of those without a section
  std::string section{};                 ///< printable, empty: none
  std::optional<double> section_seconds{};
  std::optional<double> section_age{};       ///< since it has entered the section
  std::int64_t dropped = 0;                  ///< messages beyond what is read in a second
  std::int64_t wrong = 0;                    ///< messages that are none
  std::optional<double> section_left_age{};  ///< since it has left a section; nullopt: before its last step, or never
  bool ended = false;                        ///< the process is no more
  std::optional<double> eval_loss{};         ///< of the last evaluation; may be NaN or infinite, as the next ones may
  std::optional<std::int64_t> eval_step{};   ///< the step that it had made when it said so
  std::optional<double> learning_rate{};
  std::optional<double> grad_norm{};
  std::optional<double> own_lately{};      ///< as `own`, over the last few seconds (StepCounter::kNewest)
  std::optional<std::int64_t> own_step{};  ///< with which it has said its own time last
  bool made_step = false;                  ///< its step has risen since its first message, or that one told of work
  std::int64_t pid = 0;                    ///< of its process, on its node; 0: not known
  std::string gpu{};                       ///< how its GPU is, in words (GpuWatch); printable, empty: not known

  /// Whether it has sent anything at all.
  bool known() const { return age.has_value() || dropped > 0 || wrong > 0; }
  bool operator==(const RankSummary&) const = default;
};

}  // namespace mdl::launcher::progress
