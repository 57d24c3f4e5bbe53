#include "launcher/accelerate/cluster_config.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <limits>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/nearest_name.hpp"
#include "common/str_cat.hpp"
#include "common/yaml/yaml_document.hpp"
#include "launcher/accelerate/launch_option_table.hpp"

namespace mdl::launcher::accelerate {
namespace {

using Type = yaml::YamlValue::Type;

// The fields of ClusterConfig that no option gives, and the two old names that accelerate still converts.
const std::vector<std::string> kKeysOfTheFileAlone{"compute_environment",
                                                   "distributed_type",
                                                   "main_training_function",
                                                   "fp8_config",
                                                   "deepspeed_config",
                                                   "fsdp_config",
                                                   "parallelism_config",
                                                   "megatron_lm_config",
                                                   "mpirun_config",
                                                   "downcast_bf16",
                                                   "tpu_name",
                                                   "tpu_zone",
                                                   "tpu_use_cluster",
                                                   "tpu_use_sudo",
                                                   "command_file",
                                                   "commands",
                                                   "tpu_vm",
                                                   "tpu_env",
                                                   "dynamo_config",
                                                   "fp16",
                                                   "dynamo_backend"};

std::vector<std::string> known_keys() {
  std::vector<std::string> keys = keys_in("");
  keys.insert(keys.end(), kKeysOfTheFileAlone.begin(), kKeysOfTheFileAlone.end());
  return keys;
}

constexpr const char* kUseAccelerate =
    "mdl-launch starts processes for the native worker or any program of yours, but has no such engine. ";

std::vector<std::string> dynamo_backends_in_capitals() {
  std::vector<std::string> names = dynamo_backend_names();
  for (std::string& name : names) {
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::toupper(c); });
  }
  return names;
}

bool is_empty(const yaml::YamlValue& value) {
  return value.type == Type::null || (value.type == Type::boolean && !value.boolean) ||
         (value.type == Type::list && value.items.empty()) || (value.type == Type::map && value.entries.empty()) ||
         (value.type == Type::text && value.text.empty());
}

/// Reads one file: turns its values into the fields, and every objection into one message with the place.
class Reader {
 public:
  Reader(const yaml::YamlValue& root, const std::filesystem::path& file) : root_(root) { config_.file = file; }

  ClusterConfig read() {
    for (const auto& [key, value] : root_.entries) { config_.lines[key] = value.key_line; }
    for (const std::string& key : root_.repeated_keys) {
      config_.warnings.push_back(
          str_cat(config_.place_of(key), ": ", key, " stands in the file more than once; the last one counts"));
    }
    refuse_sagemaker();
    refuse_unknown_keys(root_, known_keys(), "");
    read_distributed_type();
    refuse_engines();
    read_scalars();
    read_dynamo();
    return std::move(config_);
  }

 private:
  static constexpr int kMost = std::numeric_limits<int>::max();

  const yaml::YamlValue* find(const std::string& key) const {
    for (const auto& [name, value] : root_.entries) {
      if (name == key) { return &value; }
    }
    return nullptr;
  }

  [[noreturn]] void refuse(const std::string& key, const std::string& what, const std::string& advice) const {
    throw UsageError(str_cat(config_.place_of(key), ": ", key, what), advice);
  }

  void refuse_sagemaker() const {
    const yaml::YamlValue* value = find("compute_environment");
    if (!value || value->text == "LOCAL_MACHINE") { return; }
    if (value->text == "AMAZON_SAGEMAKER") {
      refuse("compute_environment", ": AMAZON_SAGEMAKER needs the SageMaker SDK of Python",
             "Use Python's accelerate for it, or LOCAL_MACHINE to start processes on machines of your own.");
    }
    refuse("compute_environment", str_cat(" is ", value->type_name(), ", which accelerate does not know"),
           did_you_mean(value->text, std::vector<std::string>{"LOCAL_MACHINE"}) + "Write LOCAL_MACHINE.");
  }

  void refuse_unknown_keys(const yaml::YamlValue& map, const std::vector<std::string>& known,
                           const std::string& section) const {
    std::string unknown;
    for (const auto& [key, value] : map.entries) {
      if (std::find(known.begin(), known.end(), key) != known.end()) { continue; }
      const auto nearest = nearest_name(key, known);
      unknown += str_cat(unknown.empty() ? "" : "\n", config_.file.string(), ":", value.key_line, ": unknown key ",
                         section, key, nearest ? str_cat(" (did you mean ", *nearest, "?)") : "");
    }
    if (!unknown.empty()) {
      throw UsageError(unknown, "accelerate refuses such a file too. Correct or remove these lines.");
    }
  }

  void read_distributed_type() {
    const yaml::YamlValue* value = find("distributed_type");
    if (!value) {
      throw UsageError(
          config_.file.string() + ": the key distributed_type is missing; accelerate refuses such a file too",
          "Add a line `distributed_type: MULTI_GPU`, or 'NO' (in quotes) for one process, or MULTI_CPU.");
    }
    // An unquoted NO is false for YAML; accelerate then fails with a type error, and nobody means anything else by it.
    if (value->text == "NO" || value->text == "no") {
      config_.distributed_type = DistributedType::no;
      if (value->type != Type::text) { warn_of_unquoted("distributed_type", "NO"); }
    } else if (value->text == "MULTI_CPU") {
      config_.distributed_type = DistributedType::multi_cpu;
    } else if (value->text == "MULTI_GPU") {
      config_.distributed_type = DistributedType::multi_gpu;
    } else {
      refuse_distributed_type(value->text, value->type_name());
    }
  }

  [[noreturn]] void refuse_distributed_type(const std::string& type, const std::string& described) const {
    const std::map<std::string, std::string> engines{{"DEEPSPEED", "DeepSpeed"},
                                                     {"FSDP", "FullyShardedDataParallel"},
                                                     {"MEGATRON_LM", "Megatron-LM"},
                                                     {"XLA", "TPUs through torch_xla"}};
    std::string advice = str_cat(kUseAccelerate, "Use Python's accelerate, or MULTI_GPU for data-parallel training.");
    if (auto engine = engines.find(type); engine != engines.end()) {
      refuse("distributed_type", str_cat(": ", type, " (", engine->second, ") needs Python's engine"), advice);
    }
    for (const char* device :
         {"MULTI_XPU", "MULTI_HPU", "MULTI_NPU", "MULTI_MLU", "MULTI_SDAA", "MULTI_MUSA", "MULTI_NEURON"}) {
      if (type == device) {
        refuse("distributed_type", str_cat(": ", type, " is for accelerators that mdl-launch does not drive"),
               "mdl-launch runs on NVIDIA GPUs (MULTI_GPU) and CPUs (MULTI_CPU, 'NO').");
      }
    }
    refuse("distributed_type", str_cat(" is ", described, ", which accelerate does not know"),
           did_you_mean(type, std::vector<std::string>{"NO", "MULTI_CPU", "MULTI_GPU"}) +
               "mdl-launch takes 'NO' (in quotes), MULTI_CPU and MULTI_GPU.");
  }

  void refuse_engines() const {
    const std::vector<std::pair<std::string, std::string>> sections{{"deepspeed_config", "DeepSpeed"},
                                                                    {"fsdp_config", "FullyShardedDataParallel"},
                                                                    {"megatron_lm_config", "Megatron-LM"},
                                                                    {"fp8_config", "an FP8 library of Python's"},
                                                                    {"parallelism_config", "FSDP2's parallelism"},
                                                                    {"tpu_name", "a TPU pod"},
                                                                    {"tpu_zone", "a TPU pod"},
                                                                    {"tpu_use_cluster", "a TPU pod"},
                                                                    {"tpu_use_sudo", "a TPU pod"},
                                                                    {"tpu_vm", "a TPU pod"},
                                                                    {"tpu_env", "a TPU pod"},
                                                                    {"commands", "a TPU pod"},
                                                                    {"command_file", "a TPU pod"}};
    for (const auto& [key, engine] : sections) {
      const yaml::YamlValue* value = find(key);
      if (value && !is_empty(*value)) {
        refuse(key, str_cat(" needs ", engine), str_cat(kUseAccelerate, "Remove the key, or use Python's accelerate."));
      }
    }
    if (const yaml::YamlValue* value = find("mpirun_config"); value && !is_empty(*value)) {
      refuse("mpirun_config", " needs mpirun",
             "mdl-launch starts the processes itself: remove mpirun_config, write distributed_type: MULTI_GPU with "
             "use_cpu: true, and run the same command on each machine.");
    }
  }

  std::optional<std::string> text_of(const std::string& key) const {
    const yaml::YamlValue* value = find(key);
    if (!value || value->type == Type::null) { return std::nullopt; }
    if (value->type == Type::list || value->type == Type::map) {
      refuse(key, " must be text, but is " + value->type_name(), "");
    }
    return value->text;
  }

  /// A number in the range of the option for the same.
  std::optional<int> number_of(const std::string& key) const {
    const LaunchOption* row = row_of_key(key);
    const auto* range = row ? std::get_if<NumberField>(&row->use) : nullptr;
    return range ? number_of(key, range->least, range->most) : number_of(key, 0, kMost);
  }

  std::optional<int> number_of(const std::string& key, long long least, long long most) const {
    const yaml::YamlValue* value = find(key);
    if (!value || value->type == Type::null) { return std::nullopt; }
    yaml::YamlValue number =
        value->type == Type::text ? yaml::resolve_plain_scalar(value->text) : *value;  // '8' in quotes is meant as 8
    if (number.type != Type::integer) {
      refuse(key, " must be a whole number, but is " + value->type_name(), "Write for example " + key + ": 8");
    }
    if (number.integer < least || number.integer > most) {
      refuse(key, str_cat(" is ", number.integer, ", outside of ", least, " to ", most), "Correct the number.");
    }
    return static_cast<int>(number.integer);
  }

  bool truth_of(const std::string& key) const {
    const yaml::YamlValue* value = find(key);
    if (!value || value->type == Type::null) { return false; }
    yaml::YamlValue truth = value->type == Type::text ? yaml::resolve_plain_scalar(value->text) : *value;
    if (truth.type != Type::boolean) { refuse(key, " must be true or false, but is " + value->type_name(), ""); }
    return truth.boolean;
  }

  void warn_of_unquoted(const std::string& key, const std::string& word) {
    config_.warnings.push_back(
        str_cat(config_.place_of(key), ": ", key, ": write '", word,
                "' in quotes; without them YAML reads a truth value, and Python's accelerate fails on the file"));
  }

  void read_scalars() {
    config_.num_processes = number_of("num_processes", -1, kMost);
    if (config_.num_processes == 0) {
      refuse("num_processes", " is 0", "At least one process is needed; it is the total over all machines.");
    }
    if (config_.num_processes == -1) {
      config_.num_processes.reset();  // accelerate's own sign for "given on the command line"
    }
    if (!config_.num_processes && config_.distributed_type == DistributedType::no) { config_.num_processes = 1; }
    config_.num_machines = number_of("num_machines").value_or(1);
    if (const yaml::YamlValue* rank = find("machine_rank"); rank && rank->text == "auto") {
      config_.machine_rank = kMachineRankAuto;
    } else {
      config_.machine_rank = number_of("machine_rank").value_or(0);
    }
    config_.main_process_ip = text_of("main_process_ip");
    config_.main_process_port = number_of("main_process_port");
    config_.rdzv_backend = text_of("rdzv_backend").value_or("static");
    config_.gpu_ids = text_of("gpu_ids");
    config_.same_network = truth_of("same_network");
    config_.use_cpu = truth_of("use_cpu");
    config_.debug = truth_of("debug");
    config_.enable_cpu_affinity = truth_of("enable_cpu_affinity");
    text_of("main_training_function");
    read_mixed_precision();
  }

  void read_mixed_precision() {
    std::string key = "mixed_precision";
    const yaml::YamlValue* value = find(key);
    if (!value) {
      if (truth_of("fp16")) {
        config_.mixed_precision = "fp16";  // the key of accelerate's first versions
      }
      return;
    }
    config_.mixed_precision = text_of(key);
    if (!config_.mixed_precision) { return; }
    if (value->type == Type::boolean && !value->boolean) {
      config_.mixed_precision = "no";
      warn_of_unquoted(key, "no");
    }
    std::string& precision = *config_.mixed_precision;
    std::transform(precision.begin(), precision.end(), precision.begin(),
                   [](unsigned char c) { return std::tolower(c); });
    if (precision == "fp8") {
      refuse(key, ": fp8 needs an FP8 library of Python's (TransformerEngine, torchao or MS-AMP)", "Use bf16.");
    }
    const auto& names = mixed_precision_names();
    if (std::find(names.begin(), names.end(), precision) == names.end()) {
      refuse(key, str_cat(" is ", value->type_name(), ", which accelerate does not know"),
             did_you_mean(precision, names) + "Write 'no' (in quotes), fp16 or bf16.");
    }
  }

  void read_dynamo() {
    auto take = [this](const std::string& key, const std::string& place, const yaml::YamlValue& value) {
      std::string text = value.as_python_text();
      if (key == "dynamo_backend") {
        if (value.type == Type::boolean && !value.boolean) { text = "NO"; }
        std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::toupper(c); });
        const std::vector<std::string> names = dynamo_backends_in_capitals();
        if (std::find(names.begin(), names.end(), text) == names.end()) {
          throw UsageError(
              str_cat(place, ": dynamo_backend is ", value.type_name(), ", which accelerate does not know"),
              did_you_mean(text, names) + "Write for example INDUCTOR.");
        }
      }
      config_.dynamo[key] = text;
    };
    if (const yaml::YamlValue* old = find("dynamo_backend"); old && old->text != "NO") {
      take("dynamo_backend", config_.place_of("dynamo_backend"), *old);
    }
    const yaml::YamlValue* section = find("dynamo_config");
    if (!section || section->type == Type::null) { return; }
    if (section->type != Type::map) {
      refuse("dynamo_config", " must be a section, but is " + section->type_name(), "");
    }
    yaml::YamlValue prefixed = *section;
    for (auto& [key, value] : prefixed.entries) {
      if (!key.starts_with("dynamo_")) {
        key.insert(0, "dynamo_");  // accelerate adds the prefix as well
      }
    }
    refuse_unknown_keys(prefixed, keys_in("dynamo_config"), "dynamo_config.");
    for (const auto& [key, value] : prefixed.entries) {
      take(key, str_cat(config_.file.string(), ":", value.key_line), value);
    }
  }

  const yaml::YamlValue& root_;
  ClusterConfig config_;
};

}  // namespace

std::string_view name_of(DistributedType type) {
  switch (type) {
    case DistributedType::no:
      return "NO";
    case DistributedType::multi_cpu:
      return "MULTI_CPU";
    case DistributedType::multi_gpu:
      return "MULTI_GPU";
  }
  return "";
}

const std::vector<std::string>& mixed_precision_names() {
  static const std::vector<std::string> names{"no", "fp16", "bf16", "fp8"};
  return names;
}

const std::vector<std::string>& dynamo_backend_names() {
  static const std::vector<std::string> names{
      "no",          "eager",  "aot_eager", "inductor", "aot_ts_nvfuser",          "nvprims_nvfuser",     "cudagraphs",
      "ofi",         "fx2trt", "onnxrt",    "tensorrt", "aot_torchxla_trace_once", "torchxla_trace_once", "tvm",
      "hpu_backend", "neuron"};
  return names;
}

const std::vector<std::string>& dynamo_mode_names() {
  static const std::vector<std::string> names{"default", "reduce-overhead", "max-autotune"};
  return names;
}

std::string ClusterConfig::place_of(const std::string& key) const {
  auto line = lines.find(key);
  return line == lines.end() ? file.string() : str_cat(file.string(), ":", line->second);
}

ClusterConfig parse_config(const std::string& text, const std::filesystem::path& file) {
  const yaml::YamlAdvice advice{
      .write_anew = "write the file anew with: mdl-launch config --config-file " + file.string(),
      .nesting = "A configuration of accelerate's has two levels."};
  const yaml::YamlValue root = yaml::parse_yaml(text, file, advice);
  return Reader(root, file).read();
}

ClusterConfig load_config(const std::filesystem::path& file) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(file, ignored)) {
    throw UsageError("there is no configuration file " + file.string(),
                     "Name one that exists, or write it with: mdl-launch config --config-file " + file.string());
  }
  if (::euidaccess(file.c_str(), R_OK) != 0) {
    throw UsageError(describe_errno("cannot read", file.string(), errno), "Give this user the right to read it.");
  }
  return parse_config(read_text(file), file);
}

}  // namespace mdl::launcher::accelerate
