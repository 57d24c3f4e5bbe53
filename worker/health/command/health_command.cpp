#include "worker/health/command/health_command.hpp"

#include <torch/torch.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>

#include "common/error.hpp"
#include "common/host.hpp"
#include "common/log.hpp"
#include "common/nvidia/gpu_health.hpp"
#include "common/standard_streams.hpp"
#include "common/str_cat.hpp"
#include "worker/distributed/rank_meeting.hpp"
#include "worker/health/command/device_speed.hpp"
#include "worker/health/command/gpu_facts.hpp"
#include "worker/health/command/rank_groups.hpp"
#include "worker/health/disk_speed.hpp"
#include "worker/health/examination.hpp"
#include "worker/health/health_options.hpp"
#include "worker/health/host_memory.hpp"
#include "worker/process/worker_environment.hpp"

namespace mdl::worker::health::command {
namespace {

using Environment = std::optional<process::WorkerEnvironment>;

constexpr int kPartsOfLimit = 12;  ///< of the time limit, that one part mostly takes
constexpr std::chrono::milliseconds kReserve{2000}, kLeastPatience{500};

const char* type_name(at::ScalarType type) {
  return type == at::kBFloat16 ? "bfloat16" : type == at::kHalf ? "float16" : "float32";
}

/// A rank without the others: to find its device before anybody is waited for.
Environment without_others(Environment environment) {
  if (environment) {
    environment->rank = 0;
    environment->world_size = 1;
  }
  return environment;
}

/// One process's examination.
class HealthRun {
 public:
  explicit HealthRun(const HealthOptions& options)
      : options_(options), environment_(process::read_worker_environment()) {
    const distributed::Meeting found = distributed::meet_ranks(without_others(environment_), options.device);
    device_ = found.device;
    if (device_.is_cuda()) {
      uuid_ = distributed::gpu_uuid(device_.index());
      gpu_ = std::make_unique<nvidia::GpuHealth>(uuid_);
    }
    if (distributed::forms_group(environment_)) {
      const device::Choice choice{.kind = gpu_ ? device::Kind::cuda : device::Kind::cpu,
                                  .because = found.because,
                                  .problem = "",
                                  .advice = "",
                                  .gpu = uuid_};
      groups_.emplace(*environment_, device_, choice);
    }
  }

  int run() {
    Examination examination(head(), expected(), options_.limit, [this](const HealthReport& report) {
      print(report);
      std::_Exit(kExitFailure);
    });
    measure_here(examination);
    if (groups_) { measure_with_others(examination); }
    if (gpu_) {
      examination.part("gpu_errors", [this] { return gpu_errors(*gpu_); });
    }
    if (has_disk()) {
      examination.part(
          "disk", [this] { return measure_disk(nearest_folder(*options_.output), {.limit = options_.limit / 6}); });
    }
    const bool complete = tell(examination);
    if (groups_ && !groups_->leave()) {
      std::fflush(nullptr);
      std::_Exit(complete ? 0 : kExitFailure);
    }
    return complete ? 0 : kExitFailure;
  }

 private:
  HealthReport head() const {
    HealthReport head;
    head.host = host_name();
    if (environment_) {
      head.rank = environment_->rank;
      head.local_rank = environment_->local_rank;
      head.world_size = environment_->world_size;
    }
    head.on_gpu = gpu_ != nullptr;
    head.name = gpu_ ? gpu_->name().value_or("") : cpu_name();
    head.type = type_name(product_type(device_));
    head.threads = at::get_num_threads();
    head.output = options_.output ? options_.output->string() : "";
    return head;
  }

  /// One process of each node writes.
  bool has_disk() const { return options_.output && (!environment_ || environment_->local_rank == 0); }

  std::vector<std::string> expected() const {
    std::vector<std::string> names{"memory", "matrix_product", "memory_copy"};
    if (groups_ && groups_->has_node()) { names.emplace_back("all_reduce_node"); }
    if (groups_ && groups_->has_nodes()) { names.emplace_back("all_reduce"); }
    if (gpu_) { names.emplace_back("gpu_errors"); }
    if (has_disk()) { names.emplace_back("disk"); }
    return names;
  }

  std::chrono::nanoseconds budget() const { return std::chrono::nanoseconds(options_.limit) / kPartsOfLimit; }

  void measure_here(Examination& examination) {
    examination.part("memory", [this] { return gpu_ ? gpu_memory(*gpu_) : measure_host_memory(); });
    const DeviceSizes sizes = sizes_for(device_);
    const auto on_device = [&](auto measure) {
      return [this, sizes, measure] {
        try {
          return measure(device_, sizes, budget());
        } catch (const c10::Error& error) {  // its what() would add a C++ stack trace
          throw Error(error.what_without_backtrace());
        }
      };
    };
    examination.part("matrix_product", on_device(measure_matrix_product));
    examination.part("memory_copy", on_device(measure_memory_copy));
  }

  void measure_with_others(Examination& examination) {
    const auto patience = [&] { return std::max(examination.left() - kReserve, kLeastPatience); };
    if (groups_->has_node()) {
      examination.part("all_reduce_node", [&] { return groups_->measure_node(patience(), budget()); });
    }
    if (groups_->has_nodes()) {
      examination.part("all_reduce", [&] { return groups_->measure_all(patience(), budget()); });
    }
  }

  /// Prints the report; false where a part is missing. For people, rank 0 prints those of all ranks.
  bool tell(Examination& examination) {
    if (options_.json || !groups_) {
      const HealthReport report = examination.finish();
      print(report);
      return report.complete();
    }
    const HealthReport report = examination.snapshot();
    const auto texts = groups_->gather(health_text(report));
    examination.finish();
    if (!texts) {
      print(report);
    } else {
      std::string all;
      for (const std::string& text : *texts) { all += log::escaped(text); }
      write_out(all);
    }
    return report.complete();
  }

  void print(const HealthReport& report) const {
    write_out(options_.json ? health_line(report) + "\n" : health_text(report));
  }

  /// In one write, so that lines of several processes do not mix; from whatever thread.
  static void write_out(const std::string& text) {
    for (std::size_t done = 0; done < text.size();) {
      const ssize_t written = ::write(STDOUT_FILENO, text.data() + done, text.size() - done);
      if (written <= 0 && errno != EINTR) { return; }
      done += static_cast<std::size_t>(std::max<ssize_t>(written, 0));
    }
  }

  const HealthOptions& options_;
  const Environment environment_;
  at::Device device_ = at::kCPU;
  std::string uuid_;
  std::unique_ptr<nvidia::GpuHealth> gpu_;  ///< null on the CPU
  std::optional<RankGroups> groups_;        ///< of several ranks
};

}  // namespace

int run_health(const std::vector<std::string>& arguments) {
  const HealthOptions options = parse_health_options(arguments);
  if (options.help || !options.printed_config.empty()) {
    std::cout << (options.help ? health_help() : options.printed_config);
    require_written_output();
    return 0;
  }
  return HealthRun(options).run();
}

}  // namespace mdl::worker::health::command
