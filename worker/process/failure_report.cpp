#include "worker/process/failure_report.hpp"

#include <iostream>

#include "common/error.hpp"
#include "common/exception_text.hpp"
#include "common/log.hpp"
#include "common/standard_streams.hpp"
#include "common/str_cat.hpp"
#include "worker/process/error_file.hpp"
#include "worker/process/worker_environment.hpp"

namespace mdl::worker::process {

int report_failure(const std::string& problem, int exit_code) {
  const std::string message = log::escaped(problem);
  const auto rank = lookup_environment("RANK");
  std::cout << std::flush;
  // One write, so that the messages of several ranks do not mix.
  std::cerr << str_cat("mdl-toolkit: error: ", rank ? str_cat("rank ", *rank, ": ") : "", message, "\n") << std::flush;
  write_error_file(message);
  return exit_code;
}

int run_reporting(const std::function<int()>& work) {
  try {
    const int status = work();
    require_written_output();
    return status;
  } catch (const Error& error) {
    return report_failure(error.what(), error.exit_code());
  } catch (const std::exception& error) { return report_failure(describe_exception(error), kExitFailure); }
}

}  // namespace mdl::worker::process
