#include "worker/convert/row_options.hpp"

#include <algorithm>
#include <thread>

#include "common/str_cat.hpp"

namespace mdl::worker::convert {
namespace {

constexpr std::size_t kMostThreads = 1024;

constexpr cli::OptionText kRowOptions[] = {
    {.name = "system-prompt", .help = "system prompt of rows that have none (none)"},
    {.name = "user-prompt", .help = "user prompt of rows that have none (none)"},
    {.name = "base-dir",
     .help = "folder that the paths of sounds are relative to (the current folder)",
     .takes = cli::kPath},
    {.name = "num-workers", .help = "threads that read sounds (one for each core)", .also = "dataset-num-proc"},
    {.name = "max-download-size",
     .help = "bytes of a sound that is fetched from an address, at most",
     .fallback = "256MB"},
    {.name = "download-attempts", .help = "how often a sound is tried to be fetched", .fallback = "4"},
    {.name = "from-modelscope",
     .help = "true: the model's name is one at ModelScope",
     .fallback = "false",
     .takes = cli::kTrueOrFalse},
};

}  // namespace

std::span<const cli::OptionText> row_option_texts() {
  return kRowOptions;
}

ConversationDefaults read_conversation_defaults(const cli::OptionValues& values) {
  return {.system_prompt = values.text_or_none("system-prompt"),
          .user_prompt = values.text_or_none("user-prompt"),
          .base_dir = values.text("base-dir").value_or("")};
}

std::size_t read_num_workers(const cli::OptionValues& values) {
  std::size_t workers = std::max(1U, std::thread::hardware_concurrency());
  values.integer("num-workers", 1, workers);
  if (workers > kMostThreads) {
    cli::reject_value("num-workers", str_cat(workers), str_cat("at most ", kMostThreads, " threads"));
  }
  return workers;
}

RowOptions read_row_options(const cli::OptionValues& values) {
  RowOptions options;
  options.from_modelscope = values.boolean("from-modelscope").value_or(false);
  options.defaults = read_conversation_defaults(values);
  options.workers = read_num_workers(values);
  values.bytes("max-download-size", options.downloads.max_bytes);
  values.integer("download-attempts", 1, options.downloads.attempts);
  return options;
}

}  // namespace mdl::worker::convert
