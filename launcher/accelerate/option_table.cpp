#include "launcher/accelerate/option_table.hpp"

#include <algorithm>

namespace mdl::launcher::accelerate {
namespace {

using Use = OptionSpec::Use;

// accelerate 1.15.0, commands/launch.py; torch 2.15.0, distributed/run.py.
const std::vector<OptionSpec> kOptions{
    {"help", false, Use::taken, ""},
    {"config_file", true, Use::taken, ""},
    {"quiet", false, Use::taken, ""},
    {"cpu", false, Use::taken, ""},
    {"multi_gpu", false, Use::taken, ""},
    {"mixed_precision", true, Use::taken, ""},
    {"num_processes", true, Use::taken, ""},
    {"num_machines", true, Use::taken, ""},
    {"num_cpu_threads_per_process", true, Use::taken, ""},
    {"enable_cpu_affinity", false, Use::taken, ""},
    {"dynamo_backend", true, Use::taken, ""},
    {"dynamo_mode", true, Use::taken, ""},
    {"dynamo_use_fullgraph", false, Use::taken, ""},
    {"dynamo_use_dynamic", false, Use::taken, ""},
    {"dynamo_use_regional_compilation", false, Use::taken, ""},
    {"gpu_ids", true, Use::taken, ""},
    {"same_network", false, Use::taken, ""},
    {"machine_rank", true, Use::taken, ""},
    {"main_process_ip", true, Use::taken, ""},
    {"main_process_port", true, Use::taken, ""},
    {"tee", true, Use::taken, ""},
    {"log_dir", true, Use::taken, ""},
    {"role", true, Use::taken, ""},
    {"rdzv_backend", true, Use::taken, ""},
    {"rdzv_conf", true, Use::taken, ""},
    {"max_restarts", true, Use::taken, ""},
    {"monitor_interval", true, Use::taken, ""},
    {"module", false, Use::taken, ""},
    {"no_python", false, Use::taken, ""},
    {"debug", false, Use::taken, ""},
    {"dry_run", false, Use::taken, ""},

    {"rdzv_id", true, Use::passed_on, ""},
    {"local_addr", true, Use::passed_on, ""},
    {"redirects", true, Use::passed_on, ""},
    {"local_ranks_filter", true, Use::passed_on, ""},
    {"log_line_prefix_template", true, Use::passed_on, ""},
    {"duplicate_stdout_filters", true, Use::passed_on, ""},
    {"duplicate_stderr_filters", true, Use::passed_on, ""},
    {"start_method", true, Use::passed_on, ""},
    {"event_log_handler", true, Use::passed_on, ""},
    {"logs_specs", true, Use::passed_on, ""},
    {"numa_binding", true, Use::passed_on, ""},
    {"signals_to_handle", true, Use::passed_on, ""},
    {"shutdown_timeout", true, Use::passed_on, ""},
    {"virtual_local_rank", false, Use::passed_on, ""},

    {"nnodes", true, Use::reworded, "--num-machines"},
    {"nproc_per_node", true, Use::reworded, "--num-processes (the total over all machines)"},
    {"node_rank", true, Use::reworded, "--machine-rank"},
    {"master_addr", true, Use::reworded, "--main-process-ip"},
    {"master_port", true, Use::reworded, "--main-process-port"},
    {"rdzv_endpoint", true, Use::reworded, "--main-process-ip and --main-process-port"},
    {"standalone", false, Use::reworded, "--main-process-port 0 for a free port"},
    {"run_path", false, Use::reworded, "no such option; leave it out"},

    {"mpirun_hostfile", true, Use::engine,
     "mpirun; mdl-launch starts the processes itself: run the same command on each machine"},
    {"tpu", false, Use::engine, "torch_xla for TPUs"},
    {"tpu_cluster", false, Use::engine, "torch_xla for TPUs"},
    {"no_tpu_cluster", false, Use::engine, "torch_xla for TPUs"},
    {"tpu_use_sudo", false, Use::engine, "torch_xla for TPUs"},
    {"vm", true, Use::engine, "torch_xla for TPUs"},
    {"env", true, Use::engine, "torch_xla for TPUs"},
    {"main_training_function", true, Use::engine, "torch_xla for TPUs"},
    {"downcast_bf16", false, Use::engine, "torch_xla for TPUs"},
    {"use_deepspeed", false, Use::engine, "DeepSpeed"},
    {"zero_stage", true, Use::engine, "DeepSpeed"},
    {"offload_optimizer_device", true, Use::engine, "DeepSpeed"},
    {"offload_param_device", true, Use::engine, "DeepSpeed"},
    {"offload_optimizer_nvme_path", true, Use::engine, "DeepSpeed"},
    {"offload_param_nvme_path", true, Use::engine, "DeepSpeed"},
    {"gradient_accumulation_steps", true, Use::engine, "DeepSpeed; for mdl-toolkit write it after `train`"},
    {"gradient_clipping", true, Use::engine, "DeepSpeed"},
    {"zero3_init_flag", true, Use::engine, "DeepSpeed"},
    {"zero3_save_16bit_model", true, Use::engine, "DeepSpeed"},
    {"use_fsdp", false, Use::engine, "FullyShardedDataParallel"},
    {"use_megatron_lm", false, Use::engine, "Megatron-LM"},
    {"use_parallelism_config", false, Use::engine, "FSDP2's parallelism"},
};

// Whole families that need an engine; only the prefix matters, as each of them ends in the same error.
const std::vector<OptionSpec> kFamilies{
    {"deepspeed_", true, Use::engine, "DeepSpeed"},
    {"fsdp_", true, Use::engine, "FullyShardedDataParallel"},
    {"megatron_lm_", true, Use::engine, "Megatron-LM"},
    {"parallelism_config_", true, Use::engine, "FSDP2's parallelism"},
    {"fp8_", true, Use::engine, "an FP8 library of Python's"},
    {"aws_", true, Use::engine, "the SageMaker SDK"},
};

const std::vector<std::pair<char, std::string>> kShort{
    {'h', "help"}, {'q', "quiet"}, {'m', "module"}, {'t', "tee"}, {'r', "redirects"}};

}  // namespace

const OptionSpec* find_option(std::string_view word) {
  std::string name;
  if (word.starts_with("--")) {
    name = word.substr(2, word.find('=') == std::string_view::npos ? std::string_view::npos : word.find('=') - 2);
    std::replace(name.begin(), name.end(), '-', '_');
  } else if (word.size() >= 2) {
    for (const auto& [letter, full] : kShort) {
      if (word[1] == letter) { name = full; }
    }
  }
  for (const OptionSpec& option : kOptions) {
    if (option.name == name) { return &option; }
  }
  for (const OptionSpec& family : kFamilies) {
    if (name.starts_with(family.name)) { return &family; }
  }
  return nullptr;
}

std::vector<std::string> option_names() {
  std::vector<std::string> names;
  for (const OptionSpec& option : kOptions) {
    if (option.use == Use::taken || option.use == Use::passed_on) { names.push_back(option.name); }
  }
  return names;
}

}  // namespace mdl::launcher::accelerate
