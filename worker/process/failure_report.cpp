#include "worker/process/failure_report.hpp"

#include <iostream>

#include "common/log.hpp"
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

}  // namespace mdl::worker::process
