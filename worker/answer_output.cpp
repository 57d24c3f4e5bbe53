#include "worker/answer_output.hpp"

#include <unistd.h>

#include <cerrno>

#include "common/error.hpp"
#include "common/file_overlap.hpp"
#include "common/str_cat.hpp"

namespace mdl::worker {
namespace {

namespace fs = std::filesystem;

void check_output_file(const fs::path& output) {
  const fs::path folder = output.has_parent_path() ? output.parent_path() : ".";
  if (const std::string other = fs::exists(output) ? describe_no_file(output) : ""; !other.empty()) {
    throw UsageError(str_cat("--output ", output.string(), " is ", other, ", not a file"));  // it would be replaced
  }
  if (!fs::is_directory(folder)) { throw UsageError(str_cat("--output: there is no folder ", folder.string())); }
  if (::access(folder.c_str(), W_OK) != 0) {
    throw UsageError(str_cat("--output: ", describe_errno("cannot write to", folder, errno)));
  }
}

void check_answers_go_elsewhere(const InferenceOptions& options, const ModelChoice& model,
                                const convert::RowFile& file) {
  if (!fs::exists(options.output)) { return; }
  const auto refuse = [&](const fs::path& input, const char* what) {
    throw UsageError(str_cat("--output ", options.output.string(), " is ", what, ", ", input.string()),
                     "Give --output the name of another file.");
  };
  if (is_same_file(options.input, options.output)) { refuse(options.input, "the file to answer itself"); }
  if (lies_in(options.output, model.folder)) { refuse(model.folder, "a file of the model's folder"); }
  if (model.adapter && lies_in(options.output, model.adapter->folder)) {
    refuse(model.adapter->folder, "a file of the adapter's folder");
  }
  for (const convert::Row& row : file.rows) {
    if (!row.audio) { continue; }
    const std::string audio = convert::audio_of(row, options.rows.defaults);
    if (is_same_file(audio, options.output)) { refuse(audio, "one of the sounds"); }
  }
}

}  // namespace

void check_answer_output(const InferenceOptions& options, const ModelChoice& model, const convert::RowFile& file) {
  std::error_code none;
  if (fs::is_directory(options.input, none) && fs::equivalent(options.output.parent_path(), options.input, none)) {
    throw UsageError(str_cat("--output ", options.output.parent_path().string(), " is the dataset's own folder"),
                     "Name another folder.");
  }
  check_output_file(options.output);
  check_answers_go_elsewhere(options, model, file);
}

}  // namespace mdl::worker
