#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace mdl::worker::training::checkpoint {

/// The file of a checkpoint that says which run wrote it. Only this program writes and reads it; the Trainer passes
/// over it. Checkpoints of the Python tool and of our earlier versions have none.
inline constexpr const char* kRunIdentityFile = "mdl_run.json";

/// The setting that is the schedule's highest learning rate.
inline constexpr const char* kLearningRateSetting = "--lr";

/// Named settings as texts, in the order in which they are told: {"--lr", "0.0001"}.
using Settings = std::vector<std::pair<std::string, std::string>>;

/// A number as settings have it: the shortest text that reads back as the same number.
std::string setting_text(double value);

/// What an adapter's configuration says, whoever wrote it.
struct AdapterIdentity {
  std::int64_t rank = 0;
  double alpha = 0;
  double dropout = 0;
  bool rank_stabilized = false;
  std::map<std::string, std::int64_t> rank_pattern{};
  std::map<std::string, double> alpha_pattern{};
  std::string targets{};             ///< what gets adapters, as text
  std::vector<std::string> whole{};  ///< modules that are trained whole

  Settings settings() const;
  /// Whether a setting of this name cannot be another one when a run goes on: the adapter's tensors would not fit or
  /// mean something else.
  static bool binds(const std::string& setting);
};

/// Which run this is. Two runs are the same when `fixed` is: data, base model, adapters, seed, optimizer, schedule.
struct RunIdentity {
  Settings fixed{};
  Settings
      changeable{};  ///< may be others when the run goes on: epochs, batch size, ranks, saving, evaluation, reports

  // Which of several runs of this identity.
  std::string run{};       ///< drawn when it began; empty: unknown
  std::int64_t begun = 0;  ///< milliseconds since 1970

  std::string to_json() const;
};

/// Notes the highest learning rate of the schedule, which a run that goes on takes over from its checkpoint.
void set_learning_rate(RunIdentity& identity, double rate);

/// Notes the one that `from` has, if it says.
void take_learning_rate(RunIdentity& identity, const RunIdentity& from);

/// Throws Error when the text makes no sense.
RunIdentity parse_run_identity(const std::string& json);

/// How a checkpoint's run and this one differ.
struct RunComparison {
  std::vector<std::string> differences;  ///< of `fixed`: "--lr is 0.0001 there and 0.005 here"
  std::vector<std::string> unknown;      ///< names of `fixed` that the checkpoint does not tell
  bool other_adapters = false;           ///< among them what a run that goes on cannot change
  std::vector<std::string> changes;      ///< of `changeable`: "--num-epochs 3 (was 2)"

  bool same() const { return differences.empty() && unknown.empty(); }
};

RunComparison compare_runs(const RunIdentity& then, const RunIdentity& now);

}  // namespace mdl::worker::training::checkpoint
