#pragma once

#include <span>

#include "worker/audio/download.hpp"
#include "worker/cli/command_line.hpp"
#include "worker/cli/option_values.hpp"
#include "worker/convert/row.hpp"

namespace mdl::worker::convert {

/// What every subcommand that reads a file of rows is told about its rows.
struct RowOptions {
  ConversationDefaults defaults;
  audio::DownloadLimits downloads;
  std::size_t workers = 1;       ///< threads that read sounds
  bool from_modelscope = false;  ///< where a model's name is looked up
};

/// --system-prompt, --user-prompt, --base-dir, --num-workers, --max-download-size, --download-attempts,
/// --from-modelscope.
std::span<const cli::OptionText> row_option_texts();

/// --system-prompt, --user-prompt and --base-dir. An empty prompt is none.
ConversationDefaults read_conversation_defaults(const cli::OptionValues& values);

/// --num-workers: one for each core where it was not given. Throws UsageError for more threads than make sense.
std::size_t read_num_workers(const cli::OptionValues& values);

/// The values of all of them. Throws UsageError as OptionValues does.
RowOptions read_row_options(const cli::OptionValues& values);

}  // namespace mdl::worker::convert
