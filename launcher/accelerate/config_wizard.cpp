#include "launcher/accelerate/config_wizard.hpp"

#include <algorithm>
#include <limits>
#include <optional>
#include <set>

#include "common/parse_number.hpp"
#include "common/str_cat.hpp"
#include "launcher/accelerate/cluster_config.hpp"

namespace mdl::launcher::accelerate {
namespace {

constexpr int kMost = std::numeric_limits<int>::max();
// accelerate's order; the index is what its users type.
const std::vector<std::string> kMachineTypes{"multi-CPU", "multi-XPU",  "multi-HPU",  "multi-GPU",    "multi-NPU",
                                             "multi-MLU", "multi-SDAA", "multi-MUSA", "multi-NEURON", "TPU"};
const std::set<std::string> kUnofferedBackends{"no", "hpu_backend", "neuron"};
constexpr std::size_t kInductor = 2;

/// dynamo_backend_names() that accelerate's own menu has.
std::vector<std::string> offered_backends() {
  std::vector<std::string> names = dynamo_backend_names();
  std::erase_if(names, [](const std::string& name) { return kUnofferedBackends.contains(name); });
  return names;
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

class Wizard {
 public:
  Wizard(Prompter& prompter, Language language, int gpus) : prompter_(prompter), language_(language), gpus_(gpus) {}

  ConfigContent run() {
    start_with_constants();
    choose_supported(Text::environment, {say(Text::this_machine), say(Text::sagemaker)}, {0});
    std::vector<std::string> types{say(Text::no_distribution)};
    types.insert(types.end(), kMachineTypes.begin(), kMachineTypes.end());
    std::size_t type = choose_supported(Text::machine_type, types, {0, 1, 4});
    type_ = type == 0 ? DistributedType::no : type == 1 ? DistributedType::multi_cpu : DistributedType::multi_gpu;
    content_.values["distributed_type"] = std::string(name_of(type_));
    ask_machines();
    bool use_cpu = type_ == DistributedType::multi_cpu || (type_ == DistributedType::no && yes(Text::cpu_only, false));
    content_.values["use_cpu"] = use_cpu;
    if (type_ == DistributedType::multi_cpu) { decline(Text::mpirun); }
    bool dynamo = ask_dynamo();
    if (type_ != DistributedType::multi_cpu) { decline(Text::deepspeed); }
    if (type_ == DistributedType::multi_gpu) {
      decline(Text::fsdp);
      decline(Text::megatron);
    }
    ask_processes();
    bool gpu = type_ != DistributedType::multi_cpu && !use_cpu;
    if (gpu) { content_.values["gpu_ids"] = text(Text::gpu_ids, "all"); }
    content_.values["enable_cpu_affinity"] = gpu && yes(Text::numa, false);
    const std::vector<std::string>& precisions = mixed_precision_names();
    std::size_t precision = choose_supported(Text::mixed_precision, precisions, {0, 1, 2});
    content_.values["mixed_precision"] = precisions[precision];
    if (dynamo && precision == 0 && !use_cpu) { prompter_.tell(say(Text::tf32_note)); }
    return std::move(content_);
  }

 private:
  std::string say(Text what) const { return std::string(text_of(what, language_)); }

  void start_with_constants() {
    content_.values = {{"compute_environment", std::string("LOCAL_MACHINE")},
                       {"downcast_bf16", std::string("no")},
                       {"machine_rank", 0},
                       {"main_training_function", std::string("main")},
                       {"num_machines", 1},
                       {"num_processes", 1},
                       {"debug", false},
                       {"rdzv_backend", std::string("static")},
                       {"same_network", true},
                       {"tpu_use_cluster", false},
                       {"tpu_use_sudo", false}};
    content_.with_tpu_env = true;
  }

  std::size_t choose_supported(Text question, const std::vector<std::string>& options,
                               std::initializer_list<std::size_t> supported) {
    while (true) {
      std::size_t choice = prompter_.choose(say(question), options, 0);
      if (std::find(supported.begin(), supported.end(), choice) != supported.end()) { return choice; }
      prompter_.tell(say(Text::not_supported) + options[choice]);
    }
  }

  bool yes(Text question, bool preset) {
    while (true) {
      std::string answer = lower(prompter_.ask(say(question)));
      if (answer.empty()) { return preset; }
      if (answer == "yes" || answer == "y" || answer == "是") { return true; }
      if (answer == "no" || answer == "n" || answer == "否") { return false; }
      prompter_.tell(say(Text::yes_or_no));
    }
  }

  /// Asks what only a Python engine can do; no is the only answer that goes on.
  void decline(Text question) {
    while (yes(question, false)) { prompter_.tell(say(Text::not_supported) + say(question)); }
  }

  int number(Text question, std::optional<int> preset, int least, int most) {
    while (true) {
      std::string answer = prompter_.ask(say(question));
      if (answer.empty() && preset) { return *preset; }
      const auto value = parse_whole_number(answer);
      if (value && *value >= least && *value <= most) { return static_cast<int>(*value); }
      prompter_.tell(str_cat(say(Text::whole_number), least, " – ", most == kMost ? "…" : std::to_string(most)));
    }
  }

  std::string text(Text question, const std::optional<std::string>& preset) {
    while (true) {
      std::string answer = prompter_.ask(say(question));
      if (!answer.empty()) { return answer; }
      if (preset) { return *preset; }
      prompter_.tell(say(Text::needed));
    }
  }

  void ask_machines() {
    if (type_ == DistributedType::no) { return; }
    machines_ = number(Text::machines, 1, 1, kMost);
    content_.values["num_machines"] = machines_;
    if (machines_ > 1) {
      std::vector<std::string> ranks;
      for (int rank = 0; rank < machines_; ++rank) { ranks.push_back(std::to_string(rank)); }
      content_.values["machine_rank"] = static_cast<int>(prompter_.choose(say(Text::machine_rank), ranks, 0));
      content_.values["main_process_ip"] = text(Text::main_ip, std::nullopt);
      content_.values["main_process_port"] = number(Text::main_port, std::nullopt, 1, 65535);
      bool same_network = yes(Text::same_network, true);
      content_.values["same_network"] = same_network;
      if (!same_network) { content_.values["rdzv_backend"] = rendezvous_backend(); }
    }
    content_.values["debug"] = yes(Text::debug, false);
  }

  std::string rendezvous_backend() {
    while (true) {
      std::string backend = text(Text::rdzv_backend, "static");
      if (backend == "static" || backend == "c10d") { return backend; }
      prompter_.tell(say(Text::unknown_backend));
    }
  }

  bool ask_dynamo() {
    if (!yes(Text::dynamo, false)) { return false; }
    const std::vector<std::string> backends = offered_backends();
    std::string backend = backends[prompter_.choose(say(Text::dynamo_backend), backends, kInductor)];
    std::transform(backend.begin(), backend.end(), backend.begin(), [](unsigned char c) { return std::toupper(c); });
    content_.dynamo["dynamo_backend"] = backend;
    if (yes(Text::dynamo_custom, false)) {
      const std::vector<std::string>& modes = dynamo_mode_names();
      content_.dynamo["dynamo_mode"] = modes[prompter_.choose(say(Text::dynamo_mode), modes, 0)];
      content_.dynamo["dynamo_use_fullgraph"] = yes(Text::dynamo_fullgraph, false);
      content_.dynamo["dynamo_use_dynamic"] = yes(Text::dynamo_dynamic, false);
      content_.dynamo["dynamo_use_regional_compilation"] = yes(Text::dynamo_regional, false);
    }
    return true;
  }

  void ask_processes() {
    if (type_ == DistributedType::no) { return; }
    bool gpu = type_ == DistributedType::multi_gpu;
    if (gpu && gpus_ > 0) { prompter_.tell(say(Text::gpus_here) + std::to_string(gpus_)); }
    int processes = number(gpu ? Text::gpu_processes : Text::cpu_processes, 1, 1, kMost);
    // accelerate ends with an error here, and all answers are lost.
    while (gpu && machines_ == 1 && processes == 1) {
      prompter_.tell(say(Text::one_gpu_only));
      processes = number(Text::gpu_processes, std::nullopt, 2, kMost);
    }
    content_.values["num_processes"] = processes;
  }

  Prompter& prompter_;
  Language language_;
  int gpus_;
  int machines_ = 1;
  DistributedType type_ = DistributedType::no;
  ConfigContent content_;
};

}  // namespace

ConfigContent ask_configuration(Prompter& prompter, Language language, int gpus) {
  return Wizard(prompter, language, gpus).run();
}

ConfigContent default_configuration(const std::string& mixed_precision, int gpus) {
  ConfigContent content;
  content.values = {{"compute_environment", std::string("LOCAL_MACHINE")},
                    {"debug", false},
                    {"distributed_type", std::string(gpus > 1 ? "MULTI_GPU" : "NO")},
                    {"downcast_bf16", false},
                    {"enable_cpu_affinity", false},
                    {"machine_rank", 0},
                    {"main_training_function", std::string("main")},
                    {"mixed_precision", mixed_precision},
                    {"num_machines", 1},
                    {"num_processes", std::max(gpus, 1)},
                    {"rdzv_backend", std::string("static")},
                    {"same_network", false},
                    {"tpu_use_cluster", false},
                    {"tpu_use_sudo", false},
                    {"use_cpu", gpus == 0}};
  return content;
}

}  // namespace mdl::launcher::accelerate
