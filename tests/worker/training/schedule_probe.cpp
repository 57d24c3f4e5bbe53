// schedule_probe TYPE KWARGS BASE WARMUP TOTAL…: the learning rates of steps 0 to TOTAL + 1 of each such run, for
// tests/peer/train/test_worker_train_schedules.py.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "worker/training/lr_scheduler.hpp"

int main(int argc, char** argv) {
  using namespace mdl::worker::training;
  for (int i = 1; i + 4 < argc; i += 5) {
    const double base = std::atof(argv[i + 2]);
    const std::string kwargs = argv[i + 1];
    const LrScheduler scheduler =
        parse_lr_scheduler(argv[i], kwargs.empty() ? std::nullopt : std::optional(kwargs), base);
    const long warmup = std::atol(argv[i + 3]), total = std::atol(argv[i + 4]);
    for (long step = 0; step <= total + 1; ++step) {
      std::printf("%.17g ", scheduler.rate(base, static_cast<double>(step), warmup, static_cast<double>(total)));
    }
    std::printf("\n");
  }
  return 0;
}
