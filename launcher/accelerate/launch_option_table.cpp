#include "launcher/accelerate/launch_option_table.hpp"

#include <algorithm>

#include "common/endpoint.hpp"
#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "launcher/accelerate/cluster_config.hpp"
#include "launcher/accelerate/config_command.hpp"
#include "launcher/command_line/launch_option_table.hpp"

namespace mdl::launcher::accelerate {
namespace {

using Options = LaunchOptions;

const std::vector<LaunchOption> kPlan{
    {{"config-file", "FILE", "YAML or JSON, as `accelerate config` writes it"}, TextField{&Options::config_file}, ""},
    {{"num-processes", "N", "processes in total, over all machines"},
     NumberField{&Options::num_processes, 1},
     "num_processes"},
    {{"num-machines", "N", "machines in total"}, NumberField{&Options::num_machines, 1}, "num_machines"},
    {{"machine-rank", "N|auto",
      "rank of this machine; auto: from SLURM_NODEID, PET_NODE_RANK, JOB_COMPLETION_INDEX or the pod's name"},
     RankField{},
     "machine_rank"},
    {{"main-process-ip", "HOST", "address of the machine of rank 0"},
     TextField{&Options::main_process_ip},
     "main_process_ip"},
    {{"main-process-port", "PORT", str_cat("its port (default: ", kStaticPort, "; 0 on one machine: any free one)")},
     NumberField{&Options::main_process_port, 0, 65535},
     "main_process_port"},
    {{"multi-gpu", "", "GPUs of this machine (in the file: distributed_type: MULTI_GPU)"},
     FlagField{&Options::multi_gpu},
     ""},
    {{"cpu", "", "one process on the CPU"}, FlagField{&Options::cpu}, "use_cpu"},
    {{"gpu-ids", "all|0,1,...", "GPUs to use on this machine"}, TextField{&Options::gpu_ids}, "gpu_ids"},
    {{"same-network", "", "the machines share a local network"}, FlagField{&Options::same_network}, "same_network"},
    {{"rdzv-backend", "static|c10d", "how the machines find each other"},
     TextField{&Options::rdzv_backend},
     "rdzv_backend"},
    {{"rdzv-conf", "KEY=VALUE,...", "further settings of the rendezvous"}, TextField{&Options::rdzv_conf}, ""},
    {{"dry-run", "", "print what would be started, as JSON, and stop"}, FlagField{&Options::dry_run}, ""},
    {{"quiet", "", "accepted: mdl-launch says little anyway", 'q'}, FlagField{&Options::quiet}, ""},
    {{"help", "", "print this text and exit", 'h'}, FlagField{&Options::help}, ""},
};

const std::vector<LaunchOption> kWorkers{
    {{"module", "", "PROGRAM is a Python module", 'm'}, FlagField{&Options::module}, ""},
    {{"no-python", "", "PROGRAM is started as it is, without python"}, FlagField{&Options::no_python}, ""},
    {{"max-restarts", "N", "how often all workers are started again after one failed"},
     NumberField{&Options::max_restarts, 0},
     ""},
    {{"monitor-interval", "SECONDS", "accepted: the end of a worker is seen at once"},
     TextField{&Options::monitor_interval},
     ""},
    {{"role", "NAME", "name of the workers' role"}, TextField{&Options::role}, ""},
    {{"tee", "0-3|RANK:0-3,...", "streams that go to log files and the console: 1 stdout, 2 stderr, 3 both", 't'},
     TextField{&Options::tee},
     ""},
    {{"log-dir", "FOLDER", "folder for log files"}, TextField{&Options::log_dir}, ""},
};

const std::vector<LaunchOption>& program_settings() {
  static const std::vector<LaunchOption> all{
      {{"mixed-precision", "no|fp16|bf16", "reaches the program as ACCELERATE_MIXED_PRECISION"},
       TextField{&Options::mixed_precision, mixed_precision_names()},
       "mixed_precision"},
      {{"num-cpu-threads-per-process", "N", "reaches it as OMP_NUM_THREADS"},
       NumberField{&Options::num_cpu_threads_per_process, 1},
       ""},
      {{"enable-cpu-affinity", "", "reaches it as ACCELERATE_CPU_AFFINITY"},
       FlagField{&Options::enable_cpu_affinity},
       "enable_cpu_affinity"},
      {{"debug", "", "reaches it as ACCELERATE_DEBUG_MODE"}, FlagField{&Options::debug}, "debug"},
      {{"dynamo-backend", "NAME", "these reach it as ACCELERATE_DYNAMO_..."},
       DynamoField{dynamo_backend_names()},
       "dynamo_config.dynamo_backend"},
      {{"dynamo-mode", "MODE", "default, reduce-overhead or max-autotune"},
       DynamoField{dynamo_mode_names()},
       "dynamo_config.dynamo_mode"},
      {{"dynamo-use-fullgraph", "", "one graph for the whole model"},
       DynamoField{},
       "dynamo_config.dynamo_use_fullgraph"},
      {{"dynamo-use-dynamic", "", "dynamic shapes"}, DynamoField{}, "dynamo_config.dynamo_use_dynamic"},
      {{"dynamo-use-regional-compilation", "", "repeated blocks are compiled once"},
       DynamoField{},
       "dynamo_config.dynamo_use_regional_compilation"},
  };
  return all;
}

const std::vector<std::string> kPassedOn{
    "rdzv-id",           "local-addr",
    "redirects",         "local-ranks-filter",
    "start-method",      "log-line-prefix-template",
    "event-log-handler", "duplicate-stdout-filters",
    "logs-specs",        "duplicate-stderr-filters",
    "numa-binding",      "signals-to-handle",
    "shutdown-timeout",  "virtual-local-rank",
};

struct Instead {
  std::string name;
  std::string words;
};
const std::vector<Instead> kReworded{
    {"nnodes", "--num-machines"},
    {"nproc-per-node", "--num-processes (the total over all machines)"},
    {"node-rank", "--machine-rank"},
    {"master-addr", "--main-process-ip"},
    {"master-port", "--main-process-port"},
    {"rdzv-endpoint", "--main-process-ip and --main-process-port"},
    {"standalone", "--main-process-port 0 for a free port"},
    {"run-path", "no such option; leave it out"},
};

struct Engine {
  std::string name;
  std::string value;  ///< empty: it takes none
  std::string engine;
};
const std::vector<Engine> kEngines{
    {"mpirun-hostfile", "N", "mpirun; mdl-launch starts the processes itself: run the same command on each machine"},
    {"tpu", "", "torch_xla for TPUs"},
    {"tpu-cluster", "", "torch_xla for TPUs"},
    {"no-tpu-cluster", "", "torch_xla for TPUs"},
    {"tpu-use-sudo", "", "torch_xla for TPUs"},
    {"vm", "N", "torch_xla for TPUs"},
    {"env", "N", "torch_xla for TPUs"},
    {"main-training-function", "N", "torch_xla for TPUs"},
    {"downcast-bf16", "", "torch_xla for TPUs"},
    {"use-deepspeed", "", "DeepSpeed"},
    {"zero-stage", "N", "DeepSpeed"},
    {"offload-optimizer-device", "N", "DeepSpeed"},
    {"offload-param-device", "N", "DeepSpeed"},
    {"offload-optimizer-nvme-path", "N", "DeepSpeed"},
    {"offload-param-nvme-path", "N", "DeepSpeed"},
    {"gradient-accumulation-steps", "N", "DeepSpeed; for mdl-toolkit write it after `train`"},
    {"gradient-clipping", "N", "DeepSpeed"},
    {"zero3-init-flag", "N", "DeepSpeed"},
    {"zero3-save-16bit-model", "N", "DeepSpeed"},
    {"use-fsdp", "", "FullyShardedDataParallel"},
    {"use-megatron-lm", "", "Megatron-LM"},
    {"use-parallelism-config", "", "FSDP2's parallelism"},
    // Whole families: each of them ends in the same error.
    {"deepspeed-", "N", "DeepSpeed"},
    {"fsdp-", "N", "FullyShardedDataParallel"},
    {"megatron-lm-", "N", "Megatron-LM"},
    {"parallelism-config-", "N", "FSDP2's parallelism"},
    {"fp8-", "N", "an FP8 library of Python's"},
    {"aws-", "N", "the SageMaker SDK"},
};

command_line::Option torchruns(const std::string& name) {
  const command_line::Option* option = command_line::launch_option_table().find(name);
  if (!option) { throw Error("torchrun's options have no --" + name); }
  return *option;
}

std::vector<LaunchOptionGroup> make_groups() {
  std::vector<LaunchOptionGroup> groups{{"What is started, and where", kPlan},
                                        {"How workers run", kWorkers},
                                        {"What the program is told", program_settings()},
                                        {"torchrun's, for several processes", {}},
                                        {"Refused", {}}};
  for (const std::string& name : kPassedOn) { groups[3].options.push_back({torchruns(name), PassedOn{}, ""}); }
  for (const auto& [name, words] : kReworded) { groups[4].options.push_back({torchruns(name), Reworded{words}, ""}); }
  for (const auto& [name, value, engine] : kEngines) {
    groups[4].options.push_back({{name, value, engine}, NeedsEngine{engine}, ""});
  }
  for (LaunchOption& row : groups[4].options) { row.option.hidden = true; }
  for (LaunchOptionGroup& group : groups) {
    for (LaunchOption& row : group.options) {
      row.option.in_full = true;  // accelerate's parser takes no abbreviations
    }
  }
  return groups;
}

std::vector<std::string> choices_of(const OptionUse& use) {
  if (const auto* text = std::get_if<TextField>(&use)) { return text->choices; }
  const auto* dynamo = std::get_if<DynamoField>(&use);
  return dynamo ? dynamo->choices : std::vector<std::string>();
}

/// "(default: static)", of the field's initial value.
std::string default_of(const OptionUse& use) {
  const LaunchOptions initial;
  std::string text;
  if (const auto* kind = std::get_if<TextField>(&use); kind && kind->field.index() == 0) {
    text = initial.*std::get<0>(kind->field);
  } else if (const auto* number = std::get_if<NumberField>(&use); number && number->field.index() == 0) {
    text = std::to_string(initial.*std::get<0>(number->field));
  }
  return text.empty() ? text : str_cat(" (default: ", text, ")");
}

}  // namespace

const std::vector<LaunchOptionGroup>& launch_options() {
  static const std::vector<LaunchOptionGroup> groups = make_groups();
  return groups;
}

const command_line::OptionTable& launch_option_table() {
  static const command_line::OptionTable table = [] {
    std::vector<command_line::OptionGroup> groups;
    for (const LaunchOptionGroup& group : launch_options()) {
      groups.push_back({group.title, {}});
      for (const LaunchOption& row : group.options) {
        groups.back().options.push_back(row.option);
        command_line::Option& option = groups.back().options.back();
        option.help += default_of(row.use);
        if (const auto choices = choices_of(row.use); !choices.empty()) { option.choices = choices; }
      }
    }
    return command_line::OptionTable("mdl-launch launch", groups, {config_option_table});
  }();
  return table;
}

std::vector<command_line::OptionGroup> options_of_both_launchers() {
  std::vector<command_line::OptionGroup> groups = command_line::launch_option_table().groups();
  const auto& own = launch_option_table().groups();
  groups.insert(groups.end(), own.begin(), own.end());
  return groups;
}

const LaunchOption& row_of(const command_line::Option& option) {
  for (const LaunchOptionGroup& group : launch_options()) {
    for (const LaunchOption& row : group.options) {
      if (row.option.name == option.name) { return row; }
    }
  }
  throw Error("no row of accelerate's options is for --" + option.name);
}

const LaunchOption* row_of_key(std::string_view key) {
  for (const LaunchOptionGroup& group : launch_options()) {
    for (const LaunchOption& row : group.options) {
      if (!key.empty() && row.key == key) { return &row; }
    }
  }
  return nullptr;
}

std::vector<std::string> keys_in(std::string_view section) {
  const std::string prefix = section.empty() ? "" : str_cat(section, ".");
  std::vector<std::string> keys;
  for (const LaunchOptionGroup& group : launch_options()) {
    for (const LaunchOption& row : group.options) {
      if (row.key.empty() || !row.key.starts_with(prefix)) { continue; }
      const std::string key = row.key.substr(prefix.size());
      if (key.find('.') == std::string::npos) { keys.push_back(key); }
    }
  }
  return keys;
}

}  // namespace mdl::launcher::accelerate
