#pragma once

#include <filesystem>
#include <variant>

namespace mdl::worker::training {

/// What --resume-from-checkpoint asks for: a run that begins anew …
struct ResumeNever {
  bool operator==(const ResumeNever&) const = default;
};

/// … one that goes on from this run's newest checkpoint in OUTPUT …
struct ResumeNewest {
  bool operator==(const ResumeNewest&) const = default;
};

/// … or one that goes on from a folder, whosever it is.
struct ResumePath {
  std::filesystem::path folder;
  bool operator==(const ResumePath&) const = default;
};

using ResumeFrom = std::variant<ResumeNever, ResumeNewest, ResumePath>;

}  // namespace mdl::worker::training
