#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mdl::launcher::progress {

/// The bytes of a message; longer ones are no messages.
inline constexpr std::size_t kLargestProgressMessage = 1024;
/// Of a section's name; the rest is cut.
inline constexpr std::size_t kLongestSection = 64;

/// What a worker says of itself in one datagram: a JSON object with any of these (docs/watching.md). What is not in it,
/// or is not as it must be, is nullopt: as it was.
struct ProgressMessage {
  std::optional<std::int64_t> step{};       ///< how many steps of the training are done, from 0
  std::optional<std::int64_t> total{};      ///< with which step it ends
  std::optional<double> loss{};             ///< of the last step; may be NaN or infinite
  std::optional<std::int64_t> samples{};    ///< that this process has gone through since its start
  std::optional<double> own{};              ///< seconds since its start in steps, outside collectives
  std::optional<double> waiting{};          ///< seconds since its start in steps, in collectives
  std::optional<std::string> section{};     ///< what it does beside steps; empty: nothing
  std::optional<double> section_seconds{};  ///< how long that section takes at the longest
  std::optional<double> eval_loss{};        ///< of the last evaluation; may be NaN or infinite, as the next ones may
  std::optional<double> learning_rate{};    ///< of the last step
  std::optional<double> grad_norm{};        ///< of the last step, before it was clipped

  bool operator==(const ProgressMessage&) const = default;
};

/// nullopt for what is no JSON object of at most kLargestProgressMessage bytes. Python's NaN, Infinity and -Infinity
/// are read as well. A section's name is fit for a terminal afterwards (see printable.hpp).
std::optional<ProgressMessage> parse_progress_message(std::string_view text);

}  // namespace mdl::launcher::progress
