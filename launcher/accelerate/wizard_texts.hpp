#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "launcher/accelerate/machine_rank.hpp"

namespace mdl::launcher::accelerate {

enum class Language { english, chinese };

/// The language to talk to the user in: `asked` (the value of --lang: en or zh; an empty one says nothing), else what
/// LC_ALL, LC_MESSAGES or LANG begins with. Throws UsageError for another --lang.
Language choose_language(const std::optional<std::string>& asked, const machine::Environment& environment);

/// Everything that the wizard says. Yes-or-no questions show their preset in capitals.
enum class Text {
  environment,
  this_machine,
  sagemaker,
  machine_type,
  no_distribution,
  machines,
  machine_rank,
  main_ip,
  main_port,
  same_network,
  rdzv_backend,
  debug,
  cpu_only,
  mpirun,
  dynamo,
  dynamo_backend,
  dynamo_custom,
  dynamo_mode,
  dynamo_fullgraph,
  dynamo_dynamic,
  dynamo_regional,
  deepspeed,
  fsdp,
  megatron,
  cpu_processes,
  gpu_processes,
  gpu_ids,
  numa,
  mixed_precision,
  tf32_note,
  gpus_here,
  not_supported,
  one_gpu_only,
  yes_or_no,
  whole_number,
  needed,
  unknown_backend,
  menu_hint,
  bad_choice,
  input_ended,
  result,
  saved,
  old_kept,
};

std::string_view text_of(Text text, Language language);

}  // namespace mdl::launcher::accelerate
