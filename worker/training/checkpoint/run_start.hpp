#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "worker/training/checkpoint/run_identity.hpp"
#include "worker/training/resume_from.hpp"

namespace mdl::worker::training::checkpoint {

/// A checkpoint folder beside the run that is to begin.
struct FoundCheckpoint {
  std::filesystem::path folder;
  std::int64_t step = 0;
  std::optional<std::string> fault{};  ///< what keeps it from being whole, see checkpoint_fault()
  RunIdentity identity{};              ///< as it says
  RunComparison compared{};            ///< with the run that is to begin, or to go on from it
};

/// What the command line says, and what lies there.
struct StartConditions {
  ResumeFrom resume_from{};
  bool overwrite = false;  ///< --overwrite-output
  std::filesystem::path output{};
  std::vector<FoundCheckpoint> there{};     ///< the checkpoint-STEP of OUTPUT
  std::optional<FoundCheckpoint> named{};   ///< the one that `resume_from` names
  bool named_lies_there = false;            ///< the one named is one of OUTPUT's, whose `folder` it has then
  std::optional<FoundCheckpoint> of_job{};  ///< this very job's newest: its launcher has restarted it
};

/// How a run begins.
struct RunStart {
  std::optional<FoundCheckpoint> checkpoint{};  ///< to go on from; nothing: anew
  bool restarted = false;                       ///< by the job's launcher
  bool branches = false;  ///< from an earlier checkpoint of a run whose later ones are there: it is another run then
  std::vector<std::filesystem::path> remove{};      ///< before anything is written
  std::vector<std::filesystem::path> superseded{};  ///< to be removed once the first new checkpoint is whole
  std::vector<std::string> news{}, warnings{};      ///< for the user
};

/// Decides. A job's restart is never refused. Else checkpoints of another identity in OUTPUT are a UsageError that
/// lists what differs, or removed with `overwrite`; such as could not be compared fully, likewise. ResumeNewest takes
/// the newest whole checkpoint of this identity, and a folder that is named is taken whatever differs.
RunStart plan_start(const StartConditions& conditions);

}  // namespace mdl::worker::training::checkpoint
