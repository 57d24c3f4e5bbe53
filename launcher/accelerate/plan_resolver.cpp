#include "launcher/accelerate/launch_plan.hpp"

#include <algorithm>
#include <limits>

#include "common/endpoint.hpp"
#include "common/error.hpp"
#include "common/join.hpp"
#include "common/parse_number.hpp"
#include "common/str_cat.hpp"

namespace mdl::launcher::accelerate {
namespace {

constexpr int kDefaultPort = kStaticPort;  // accelerate's is torch's

/// The first of `names` that holds a number of 0 or more, else `otherwise`. accelerate reads its counts from the
/// environment so.
int number_from(const machine::Environment& environment, std::initializer_list<const char*> names, int otherwise) {
  for (const char* name : names) {
    auto variable = environment.find(name);
    if (variable == environment.end()) { continue; }
    const std::string& text = variable->second;
    const auto value = parse_whole_number(text);
    if (!value || *value > std::numeric_limits<int>::max()) {
      throw UsageError(str_cat("the environment variable ", name, " is \"", text, "\", not a whole number"),
                       "Correct or unset it.");
    }
    if (*value >= 0) { return static_cast<int>(*value); }
  }
  return otherwise;
}

class Resolver {
 public:
  Resolver(const LaunchOptions& options, const ClusterConfig* config, const machine::MachineFacts& facts)
      : options_(options), config_(config), facts_(facts) {
    plan_.options = options;
    if (config) {
      plan_.config_file = config->file.string();
      plan_.warnings = config->warnings;
    }
  }

  LaunchPlan resolve() {
    refuse_contradictions();
    count_processes();
    choose_kind();
    choose_devices();
    plan_.rdzv_backend = options_.rdzv_backend;
    if (plan_.kind == LaunchPlan::Kind::multi) {
      place_multi();
      check_gpus();
    } else {
      place_simple();
    }
    set_environment();
    warn_of_ignored_keys();
    return std::move(plan_);
  }

 private:
  void refuse_contradictions() const {
    if (options_.cpu && options_.multi_gpu) {
      throw UsageError("--cpu and --multi-gpu exclude each other", "Leave one out.");
    }
    if (options_.multi_gpu && options_.num_processes && *options_.num_processes < 2) {
      throw UsageError("--multi-gpu needs at least 2 processes, but --num-processes is 1",
                       "Leave --multi-gpu out for one process.");
    }
    if (options_.module && options_.no_python) {
      throw UsageError("--module and --no-python exclude each other", "Leave one out.");
    }
    if (options_.mixed_precision == "fp8") {
      throw UsageError("--mixed-precision fp8 needs an FP8 library of Python's", "Use bf16.");
    }
  }

  void count_processes() {
    plan_.num_machines = options_.num_machines.value_or(config_ ? config_->num_machines : 1);
    if (options_.num_processes) {
      plan_.num_processes = *options_.num_processes;
    } else if (config_) {
      if (!config_->num_processes) {
        throw UsageError(config_->file.string() + ": num_processes is missing",
                         "Add it, or give --num-processes N (the total).");
      }
      plan_.num_processes = *config_->num_processes;
    } else {
      plan_.num_processes = facts_.gpu_count();
    }
  }

  void choose_kind() {
    bool gpus = options_.multi_gpu;
    if (!gpus && config_) { gpus = config_->distributed_type == DistributedType::multi_gpu; }
    // Without a file accelerate turns to all GPUs by itself.
    if (!gpus && !config_ && plan_.num_processes > 1) { gpus = facts_.gpu_count() > 1; }
    plan_.kind = gpus && !options_.cpu ? LaunchPlan::Kind::multi : LaunchPlan::Kind::simple;
    wants_gpus_ = gpus;
  }

  void choose_devices() {
    if (options_.gpu_ids) {
      gpu_ids_ = options_.gpu_ids;
    } else if (config_) {
      gpu_ids_ = config_->gpu_ids.value_or("all");
    }
    bool one_listed = config_ && gpu_ids_ && *gpu_ids_ != "all" && gpu_ids_->find(',') == std::string::npos;
    if (one_listed && wants_gpus_ && plan_.num_machines <= 1) {
      throw UsageError(str_cat("gpu_ids names one GPU (", *gpu_ids_, "), but the set-up is for several"),
                       "Name at least two, or `all`, or use distributed_type: 'NO' for one.");
    }
  }

  int find_rank() {
    std::optional<int> rank = options_.machine_rank;
    if (!rank && config_) { rank = config_->machine_rank; }
    if (!rank) {
      throw UsageError(str_cat("--num-machines ", plan_.num_machines, ", but which of them is this one?"),
                       "Give --machine-rank N (from 0), or --machine-rank auto under Slurm or Kubernetes.");
    }
    std::string source = "machine rank " + std::to_string(*rank);
    if (*rank == kMachineRankAuto) {
      auto found = find_machine_rank(facts_.environment);
      if (!found) {
        if (options_.rdzv_backend == "c10d") {
          return kMachineRankAuto;  // the rendezvous gives out the ranks
        }
        throw UsageError(
            "--machine-rank auto: nothing tells this machine's rank (looked for SLURM_NODEID, PET_NODE_RANK, "
            "JOB_COMPLETION_INDEX, and inside Kubernetes for an ordinal in POD_NAME or HOSTNAME)",
            "Give --machine-rank N, or --rdzv-backend c10d, which gives out the ranks itself.");
      }
      rank = found->rank;
      source = found->source;
    }
    if (*rank >= plan_.num_machines) {
      throw UsageError(str_cat(source, " is too high for ", plan_.num_machines, " machines: ranks go from 0 to ",
                               plan_.num_machines - 1),
                       "Correct machine_rank or num_machines.");
    }
    return *rank;
  }

  void place_multi() {
    int port =
        options_.main_process_port.value_or(config_ ? config_->main_process_port.value_or(kDefaultPort) : kDefaultPort);
    bool first_machine = true;
    if (plan_.num_machines > 1) {
      if (port == 0) {
        throw UsageError("port 0 (any free port) works on one machine only", "Choose a port that all machines know.");
      }
      int rank = find_rank();
      if (rank != kMachineRankAuto) { plan_.machine_rank = rank; }
      first_machine = rank == 0;
      std::string ip = require_main_ip();
      if (options_.same_network && options_.rdzv_backend == "static") {
        plan_.master_addr = ip;
        plan_.master_port = port;
      } else {
        plan_.rdzv_endpoint = str_cat(ip.find(':') == std::string::npos ? ip : "[" + ip + "]", ":", port);
      }
      plan_.nproc_per_node = plan_.num_processes / plan_.num_machines;
      check_division();
    } else {
      if (port == 0) { port = facts_.free_port(); }
      plan_.nproc_per_node = plan_.num_processes;
      plan_.master_port = port;
    }
    // With c10d the holder may be another machine's launcher of this very job, started on the same host.
    if (!first_machine || options_.rdzv_backend == "c10d") { return; }
    if (const auto holder = facts_.port_holder(port)) { take_other_port(port, *holder); }
  }

  void take_other_port(int port, const std::string& holder) {
    if (plan_.num_machines > 1) {
      plan_.problems.emplace_back(
          str_cat("port ", port, " of this machine is in use by ", holder, ", and it is the job's main_process_port"),
          "Stop that program, or choose another port, the same on all machines: --main-process-port N.");
      return;
    }
    plan_.standalone = true;
    plan_.warnings.push_back(str_cat("port ", port, " is in use by ", holder,
                                     "; this launch takes a free port instead (--main-process-port 0 does so always)"));
  }

  std::string require_main_ip() const {
    auto ip = options_.main_process_ip ? options_.main_process_ip : config_ ? config_->main_process_ip : std::nullopt;
    if (!ip || ip->empty()) {
      throw UsageError(
          str_cat(plan_.num_machines, " machines, but main_process_ip is missing"),
          "Give the address of the machine of rank 0: --main-process-ip HOST, or main_process_ip in the file.");
    }
    return *ip;
  }

  void check_division() {
    if (plan_.nproc_per_node == 0) {
      throw UsageError(str_cat("num_processes is the total, and ", plan_.num_processes, " is less than the ",
                               plan_.num_machines, " machines"),
                       "Give at least one process for each machine.");
    }
    int started = plan_.nproc_per_node * plan_.num_machines;
    if (started != plan_.num_processes) {
      plan_.warnings.push_back(str_cat("num_processes ", plan_.num_processes, " does not divide by ",
                                       plan_.num_machines, " machines: as accelerate does, ", plan_.nproc_per_node,
                                       " start on each, ", started, " in all"));
    }
  }

  void check_gpus() {
    if (use_cpu()) { return; }
    int gpus = facts_.gpu_count();
    if (gpus == 0) {
      plan_.problems.emplace_back(
          str_cat(config_ ? config_->place_of("distributed_type") + ": MULTI_GPU" : std::string("--multi-gpu"),
                  " asks for ", counted(plan_.nproc_per_node, "GPU"), " of this machine, but no NVIDIA GPU is there"),
          "See nvidia-smi and CUDA_VISIBLE_DEVICES. To train on CPUs with as many processes, write use_cpu: true in "
          "the file, or run: mdl-launch --nproc-per-node N …");
      return;
    }
    if (gpu_ids_ && *gpu_ids_ != "all") {
      gpus = std::min(gpus, 1 + static_cast<int>(std::count(gpu_ids_->begin(), gpu_ids_->end(), ',')));
    }
    if (plan_.nproc_per_node < gpus) {
      plan_.warnings.push_back(str_cat("this machine has ", counted(gpus, "GPU"), ", but ",
                                       counted(plan_.nproc_per_node, "process starts", "processes start"),
                                       " on it, so ", counted(gpus - plan_.nproc_per_node, "stays idle", "stay idle"),
                                       ": num_processes (", plan_.num_processes, ") is the total over all ",
                                       plan_.num_machines,
                                       " machines. To use them all: num_processes: ", gpus * plan_.num_machines));
    } else if (plan_.nproc_per_node > gpus) {
      plan_.warnings.push_back(
          str_cat(counted(plan_.nproc_per_node, "process starts", "processes start"), " on this machine, but it has ",
                  counted(gpus, "GPU"),
                  ": most programs fail so. To give each its own: num_processes: ", gpus * plan_.num_machines));
    }
  }

  void place_simple() {
    plan_.nproc_per_node = 1;
    constexpr int kNone = -1;
    int port = options_.main_process_port.value_or(config_ ? config_->main_process_port.value_or(kNone) : kNone);
    if (plan_.num_machines > 1 || plan_.num_processes > 1) {
      auto ip = options_.main_process_ip ? options_.main_process_ip : config_ ? config_->main_process_ip : std::nullopt;
      if (plan_.num_machines > 1) {
        ip = require_main_ip();
        if (port == kNone) {
          throw UsageError("several machines, but main_process_port is missing", "Give --main-process-port N.");
        }
      }
      plan_.environment["MASTER_ADDR"] = ip.value_or("127.0.0.1");
      plan_.environment["MASTER_PORT"] = std::to_string(port == kNone ? kDefaultPort : port);
      plan_.warnings.push_back(
          str_cat("num_processes is ", plan_.num_processes,
                  ", but for this set-up accelerate starts one process on each machine, without ranks, and so does "
                  "mdl-launch. For ",
                  plan_.num_processes,
                  " processes on CPUs write distributed_type: MULTI_GPU with use_cpu: true, or run: mdl-launch "
                  "--nproc-per-node N …"));
    }
  }

  bool use_cpu() const { return config_ ? config_->use_cpu : options_.cpu; }

  int threads_per_process() const {
    if (options_.num_cpu_threads_per_process) { return *options_.num_cpu_threads_per_process; }
    int threads = number_from(facts_.environment, {"OMP_NUM_THREADS"}, 1);
    if (use_cpu() && plan_.num_processes >= 1 && number_from(facts_.environment, {"OMP_NUM_THREADS"}, 0) == 0) {
      int local = number_from(facts_.environment,
                              {"MPI_LOCALNRANKS", "OMPI_COMM_WORLD_LOCAL_SIZE", "MV2_COMM_WORLD_LOCAL_SIZE"},
                              std::max(plan_.num_processes / plan_.num_machines, 1));
      int share = facts_.physical_cores() / std::max(local, 1);
      if (share > 1) { threads = share; }
    }
    return threads;
  }

  std::string dynamo(const std::string& key, const std::string& otherwise) const {
    if (auto given = options_.dynamo.find(key); given != options_.dynamo.end()) { return given->second; }
    if (config_) {
      if (auto value = config_->dynamo.find(key); value != config_->dynamo.end()) { return value->second; }
    }
    return otherwise;
  }

  void set_environment() {
    auto& environment = plan_.environment;
    if (plan_.kind == LaunchPlan::Kind::simple) {
      bool cpu = options_.cpu || use_cpu();
      environment["ACCELERATE_USE_CPU"] = cpu ? "True" : "False";
      if (cpu) {
        environment["KMP_AFFINITY"] = "granularity=fine,compact,1,0";
        environment["KMP_BLOCKTIME"] = "1";
      }
    }
    if (options_.debug || (config_ && config_->debug)) { environment["ACCELERATE_DEBUG_MODE"] = "true"; }
    if (gpu_ids_ && *gpu_ids_ != "all") { environment["CUDA_VISIBLE_DEVICES"] = *gpu_ids_; }
    environment["ACCELERATE_MIXED_PRECISION"] =
        options_.mixed_precision.value_or(config_ ? config_->mixed_precision.value_or("no") : "no");
    std::string backend = dynamo("dynamo_backend", "no");
    std::transform(backend.begin(), backend.end(), backend.begin(), [](unsigned char c) { return std::toupper(c); });
    environment["ACCELERATE_DYNAMO_BACKEND"] = backend;
    environment["ACCELERATE_DYNAMO_MODE"] = dynamo("dynamo_mode", "default");
    environment["ACCELERATE_DYNAMO_USE_FULLGRAPH"] = dynamo("dynamo_use_fullgraph", "False");
    environment["ACCELERATE_DYNAMO_USE_DYNAMIC"] = dynamo("dynamo_use_dynamic", "False");
    environment["ACCELERATE_DYNAMO_USE_REGIONAL_COMPILATION"] = dynamo("dynamo_use_regional_compilation", "False");
    environment["OMP_NUM_THREADS"] = std::to_string(threads_per_process());
    if (options_.enable_cpu_affinity) { environment["ACCELERATE_CPU_AFFINITY"] = "1"; }
  }

  void warn_of_ignored_keys() {
    if (!config_) { return; }
    bool left_at_default = options_.rdzv_backend == LaunchOptions().rdzv_backend;
    if (plan_.kind == LaunchPlan::Kind::multi && config_->rdzv_backend != options_.rdzv_backend && left_at_default) {
      plan_.warnings.push_back(
          str_cat(config_->place_of("rdzv_backend"), ": rdzv_backend: ", config_->rdzv_backend,
                  " has no effect, as in accelerate 1.15, which takes it from the command line only. If you mean it: "
                  "--rdzv-backend ",
                  config_->rdzv_backend));
    }
    if (config_->enable_cpu_affinity && !options_.enable_cpu_affinity) {
      plan_.warnings.push_back(
          config_->place_of("enable_cpu_affinity") +
          ": enable_cpu_affinity: true has no effect, as in accelerate 1.15. If you mean it: --enable-cpu-affinity");
    }
  }

  const LaunchOptions& options_;
  const ClusterConfig* config_;
  const machine::MachineFacts& facts_;
  LaunchPlan plan_;
  bool wants_gpus_ = false;
  std::optional<std::string> gpu_ids_;
};

}  // namespace

LaunchPlan resolve_plan(const LaunchOptions& options, const ClusterConfig* config, const machine::MachineFacts& facts) {
  return Resolver(options, config, facts).resolve();
}

}  // namespace mdl::launcher::accelerate
