#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "worker/reports/page/run_history.hpp"

namespace mdl::worker::reports {

/// What a run has come to.
struct RunEnd {
  page::RunHistory history{};
  std::filesystem::path final_folder{};
  bool is_adapter = false;                            ///< what is there; else a merged model
  std::string base_model{};                           ///< that the adapter is for, as a command line names it
  std::optional<std::filesystem::path> checkpoint{};  ///< the best one where the run asked for it, else the last
  bool checkpoint_is_best = false;
  std::optional<std::filesystem::path> page{};   ///< report.html
  std::optional<std::filesystem::path> clips{};  ///< a file of rows with sounds to try the model on
};

/// What is told at the end of a run: what was written, how long it took, the best evaluation, the curve of the loss,
/// and the commands to type next. `quoted`: as a shell takes a path. `blocks`: whether the terminal shows ▁▂▃ (pure).
std::string describe_end(const RunEnd& end, bool blocks, std::string (*quoted)(const std::string&));

}  // namespace mdl::worker::reports
