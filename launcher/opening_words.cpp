#include "launcher/opening_words.hpp"

#include "common/log.hpp"
#include "launcher/process/worker_env.hpp"

namespace mdl::launcher {

void say_opening_words(const command_line::LaunchPlan& plan, output::RunFolder& folder) {
  if (process::limits_omp_threads(plan.environment, plan.local_world_size)) {
    log::warning("OMP_NUM_THREADS is not set: giving each worker 1, so that ", plan.local_world_size,
                 " workers do not overload this node. Set it to what suits the job");
  }
  if (command_line::writes_files(plan.options.logs, plan.local_world_size) && plan.options.logs.log_dir.empty()) {
    log::news("the workers' logs are in ", folder.path().string(), "; --log-dir chooses another place");
    folder.keep();
  }
}

}  // namespace mdl::launcher
