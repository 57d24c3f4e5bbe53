// mdl-toolkit-model and mdl-toolkit-model-cpu: the subcommands that compute with a model. mdl-toolkit starts them.
#include <c10/util/Exception.h>
#include <sys/prctl.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <thread>

#include "common/error.hpp"
#include "common/exception_text.hpp"
#include "common/log.hpp"
#include "common/standard_streams.hpp"
#include "common/str_cat.hpp"
#include "worker/distributed/control_plane.hpp"
#include "worker/distributed/peer_watch.hpp"
#include "worker/evaluate_command.hpp"
#include "worker/health/command/health_command.hpp"
#include "worker/inference_command.hpp"
#include "worker/libraries/fitting_torch.hpp"
#include "worker/libraries/take_over.hpp"
#include "worker/merge_command.hpp"
#include "worker/plan_command.hpp"
#include "worker/process/failure_report.hpp"
#include "worker/process/stop_signal.hpp"
#include "worker/programs.hpp"
#include "worker/train_command.hpp"
#include "worker/trained_checkpoint.hpp"

namespace {

constexpr std::chrono::milliseconds kForTheCulprit{1500};

int run(const std::vector<std::string>& arguments) {
  if (!arguments.empty()) {
    const std::vector<std::string> rest(arguments.begin() + 1, arguments.end());
    if (arguments.front() == "train") { return mdl::worker::run_train(rest); }
    if (arguments.front() == "plan") { return mdl::worker::run_plan(rest); }
    if (arguments.front() == "inference") { return mdl::worker::run_inference(rest); }
    if (arguments.front() == "evaluate") { return mdl::worker::run_evaluate(rest); }
    if (arguments.front() == "health") { return mdl::worker::health::command::run_health(rest); }
    if (arguments.front() == "merge") { return mdl::worker::run_merge(rest); }
    if (arguments.front() == mdl::worker::kTellTrainable && rest.size() == 1) {
      std::cout << mdl::worker::tell_trainable(rest.front()) << '\n';
      mdl::require_written_output();
      return 0;
    }
  }
  throw mdl::UsageError("this program is a part of mdl-toolkit", "Start mdl-toolkit instead.");
}

}  // namespace

int main(int argc, char** argv) {
  mdl::open_closed_standard_streams();
  mdl::worker::libraries::take_over();
  ::prctl(PR_SET_NAME, "mdl-toolkit");  // for ps and top
  mdl::log::set_program("mdl-toolkit");
  std::signal(SIGXFSZ, SIG_IGN);  // both as in mdl-toolkit
  std::signal(SIGPIPE, SIG_IGN);
  try {
    mdl::worker::libraries::require_fitting_loaded();
    const mdl::worker::distributed::ControlPlane control_plane;
    return run(std::vector<std::string>(argv + 1, argv + argc));
  } catch (const mdl::worker::process::StoppedBySignal& stop) {
    std::cout << std::flush;
    std::signal(stop.signal, SIG_DFL);
    std::raise(stop.signal);
    return 128 + stop.signal;  // only where the signal is blocked
  } catch (const mdl::worker::distributed::PeersLost& lost) {
    // Not by return: what LibTorch ends then might wait for the other ranks, or for a device that waits for them.
    const int status = mdl::worker::process::report_failure(lost.what(), lost.exit_code());
    std::fflush(nullptr);
    // The rank that is to blame has an error of its own, which a launcher takes for the cause where it comes first.
    std::this_thread::sleep_for(kForTheCulprit);
    std::_Exit(status);
  } catch (const mdl::Error& error) {
    return mdl::worker::process::report_failure(error.what(), error.exit_code());
  } catch (const c10::OutOfMemoryError& error) {
    return mdl::worker::process::report_failure(
        mdl::str_cat("out of memory: ", error.what_without_backtrace(), "\n  A smaller --batch-size needs less."),
        mdl::kExitFailure);
  } catch (const c10::Error& error) {  // its what() would add a C++ stack trace
    return mdl::worker::process::report_failure(error.what_without_backtrace(), mdl::kExitFailure);
  } catch (const std::exception& error) {
    return mdl::worker::process::report_failure(mdl::describe_exception(error), mdl::kExitFailure);
  }
}
