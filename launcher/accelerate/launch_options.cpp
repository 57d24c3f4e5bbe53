#include "launcher/accelerate/launch_options.hpp"

#include <algorithm>
#include <limits>

#include "common/error.hpp"
#include "common/option_word.hpp"
#include "common/parse_number.hpp"
#include "common/str_cat.hpp"
#include "launcher/accelerate/accelerate_config.hpp"
#include "launcher/accelerate/nearest_name.hpp"
#include "launcher/accelerate/option_table.hpp"

namespace mdl::launcher::accelerate {
namespace {

constexpr int kMost = std::numeric_limits<int>::max();

std::string dashed(std::string name) {
  std::replace(name.begin(), name.end(), '_', '-');
  return "--" + name;
}

int number(const std::string& option, const std::string& text, int least, int most) {
  const auto value = parse_whole_number(text);
  if (!value || *value < least || *value > most) {
    throw UsageError(str_cat(dashed(option), ": \"", text, "\" is not a whole number from ", least,
                             most == kMost ? "" : str_cat(" to ", most)),
                     "Example: " + dashed(option) + " " + std::to_string(std::max(least, 1)));
  }
  return static_cast<int>(*value);
}

std::string one_of(const std::string& option, const std::string& value, const std::vector<std::string>& choices) {
  if (std::find(choices.begin(), choices.end(), value) != choices.end()) { return value; }
  std::string list;
  for (const std::string& choice : choices) { list += (list.empty() ? "" : ", ") + choice; }
  throw UsageError(str_cat(dashed(option), ": \"", value, "\" is not one of ", list));
}

std::vector<std::string> dynamo_choices() {
  std::vector<std::string> choices = dynamo_backend_names();
  for (std::string& name : choices) {
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  }
  return choices;
}

void take(LaunchOptions& options, const std::string& name, const std::string& value) {
  if (name == "help") {
    options.help = true;
  } else if (name == "config_file") {
    options.config_file = value;
  } else if (name == "quiet") {
    options.quiet = true;
  } else if (name == "cpu") {
    options.cpu = true;
  } else if (name == "multi_gpu") {
    options.multi_gpu = true;
  } else if (name == "same_network") {
    options.same_network = true;
  } else if (name == "enable_cpu_affinity") {
    options.enable_cpu_affinity = true;
  } else if (name == "debug") {
    options.debug = true;
  } else if (name == "module") {
    options.module = true;
  } else if (name == "no_python") {
    options.no_python = true;
  } else if (name == "dry_run") {
    options.dry_run = true;
  } else if (name == "mixed_precision") {
    options.mixed_precision = one_of(name, value, mixed_precision_names());
  } else if (name == "num_processes") {
    options.num_processes = number(name, value, 1, kMost);
  } else if (name == "num_machines") {
    options.num_machines = number(name, value, 1, kMost);
  } else if (name == "num_cpu_threads_per_process") {
    options.num_cpu_threads_per_process = number(name, value, 1, kMost);
  } else if (name == "machine_rank") {
    options.machine_rank = value == "auto" ? kMachineRankAuto : number(name, value, 0, kMost);
  } else if (name == "main_process_ip") {
    options.main_process_ip = value;
  } else if (name == "main_process_port") {
    options.main_process_port = number(name, value, 0, 65535);
  } else if (name == "gpu_ids") {
    options.gpu_ids = value;
  } else if (name == "dynamo_backend") {
    options.dynamo[name] = one_of(name, value, dynamo_choices());
  } else if (name == "dynamo_mode") {
    options.dynamo[name] = one_of(name, value, {"default", "reduce-overhead", "max-autotune"});
  } else if (name.starts_with("dynamo_use_")) {
    options.dynamo[name] = "True";
  } else if (name == "rdzv_backend") {
    options.rdzv_backend = value;
  } else if (name == "rdzv_conf") {
    options.rdzv_conf = value;
  } else if (name == "tee") {
    options.tee = value;
  } else if (name == "log_dir") {
    options.log_dir = value;
  } else if (name == "role") {
    options.role = value;
  } else if (name == "max_restarts") {
    options.max_restarts = number(name, value, 0, kMost);
  } else if (name == "monitor_interval") {
    options.monitor_interval = value;
  }
}

[[noreturn]] void refuse_unknown(const std::string& word) {
  std::string name =
      word.substr(word.find_first_not_of('-') == std::string::npos ? word.size() : word.find_first_not_of('-'));
  name.resize(std::min(name.find('='), name.size()));
  std::replace(name.begin(), name.end(), '-', '_');
  std::string nearest = nearest_name(name, option_names());
  throw UsageError(
      str_cat("unknown option ", word, nearest.empty() ? "" : str_cat(" (did you mean ", dashed(nearest), "?)")),
      "mdl-launch launch --help lists the options. Options of the program go behind its name.");
}

/// Steps over one option and its value. Returns the value, empty for a flag.
std::string value_of(const OptionSpec& option, const std::vector<std::string>& arguments, size_t& at) {
  const std::string& word = arguments[at];
  bool is_long = word.starts_with("--");
  size_t equals = is_long ? word.find('=') : std::string::npos;
  if (!option.has_value) {
    if (equals != std::string::npos || (!is_long && word.size() > 2)) {
      throw UsageError(word + ": this option takes no value");
    }
    return "";
  }
  if (equals != std::string::npos) { return word.substr(equals + 1); }
  if (!is_long && word.size() > 2) {
    return word.substr(2);  // -t3
  }
  if (at + 1 >= arguments.size() || !may_be_option_value(arguments[at + 1])) {
    throw UsageError(word + ": the value is missing");
  }
  return arguments[++at];
}

}  // namespace

LaunchOptions parse_launch_options(const std::vector<std::string>& arguments) {
  LaunchOptions options;
  bool ended = false;  // by a "--" before the program
  size_t at = 0;
  for (; at < arguments.size(); ++at) {
    const std::string& word = arguments[at];
    if (word == "--") {
      ++at;
      ended = true;
      break;
    }
    if (word.size() < 2 || word[0] != '-') { break; }
    const OptionSpec* option = find_option(word);
    if (!option) { refuse_unknown(word); }
    if (option->use == OptionSpec::Use::engine) {
      throw UsageError(str_cat(word, " needs ", option->remark), "Leave the option out, or use Python's accelerate.");
    }
    if (option->use == OptionSpec::Use::reworded) {
      throw UsageError(
          str_cat(word, " is torchrun's; with a configuration file or `launch`, accelerate's words are used"),
          "Instead: " + option->remark);
    }
    size_t first = at;
    std::string value = value_of(*option, arguments, at);
    if (option->use == OptionSpec::Use::passed_on) {
      options.passed_on.insert(options.passed_on.end(), arguments.begin() + static_cast<std::ptrdiff_t>(first),
                               arguments.begin() + static_cast<std::ptrdiff_t>(at) + 1);
    } else {
      take(options, option->name, value);
    }
  }
  options.program.assign(arguments.begin() + static_cast<std::ptrdiff_t>(std::min(at, arguments.size())),
                         arguments.end());
  // argparse removes the first "--" of a command line, also when it comes directly behind the program.
  if (!ended && options.program.size() > 1 && options.program[1] == "--") {
    options.program.erase(options.program.begin() + 1);
  }
  return options;
}

bool names_config_file(const std::vector<std::string>& arguments) {
  for (size_t at = 0; at < arguments.size(); ++at) {
    const std::string& word = arguments[at];
    if (word.size() < 2 || word[0] != '-' || word == "--") { return false; }
    const OptionSpec* option = find_option(word);
    if (!option) {
      continue;  // mdl-launch's own parser reports it
    }
    if (option->name == "config_file") { return true; }
    bool value_follows =
        option->has_value && (word.starts_with("--") ? word.find('=') == std::string::npos : word.size() == 2);
    if (value_follows) { ++at; }
  }
  return false;
}

std::string launch_help() {
  return R"(Usage: mdl-launch launch [options] PROGRAM|SCRIPT [ARGUMENTS...]
       mdl-launch --config-file FILE [options] PROGRAM|SCRIPT [ARGUMENTS...]

Starts processes as `accelerate launch` does. The command line comes before the configuration file; without --config-file the file that
`mdl-launch config` or `accelerate config` wrote is used, if there is one. Options are spelt with - or _.

  --config-file FILE             YAML or JSON, as `accelerate config` writes it
  --num-processes N              processes in total, over all machines
  --num-machines N               machines in total
  --machine-rank N|auto          rank of this machine; auto: from SLURM_NODEID, PET_NODE_RANK, JOB_COMPLETION_INDEX or the pod's name
  --main-process-ip HOST         address of the machine of rank 0
  --main-process-port PORT       its port (default 29500; 0 on one machine: any free one)
  --multi-gpu | --cpu            GPUs of this machine, or one process on the CPU
  --gpu-ids all|0,1,...          GPUs to use on this machine
  --mixed-precision no|fp16|bf16 reaches the program as ACCELERATE_MIXED_PRECISION
  --num-cpu-threads-per-process N
  --enable-cpu-affinity, --same-network, --debug, --quiet
  --dynamo-backend NAME, --dynamo-mode MODE, --dynamo-use-fullgraph, --dynamo-use-dynamic, --dynamo-use-regional-compilation
  --rdzv-backend static|c10d, --rdzv-conf KEY=VALUE,...
  --max-restarts N, --monitor-interval SECONDS, --role NAME, -t|--tee SPEC, --log-dir FOLDER
  -m|--module, --no-python       PROGRAM is a Python module, or is started as it is
  --dry-run                      print what would be started, as JSON, and stop
  Options that only torchrun has and that fit: --rdzv-id, --local-addr, --redirects, --local-ranks-filter, --shutdown-timeout, ...

DeepSpeed, FSDP, Megatron-LM, TPU, FP8, SageMaker and mpirun need Python's engines; their options are refused.
)";
}

}  // namespace mdl::launcher::accelerate
