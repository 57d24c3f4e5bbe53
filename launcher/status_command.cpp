#include "launcher/status_command.hpp"

#include <cstdio>
#include <optional>

#include "common/error.hpp"
#include "common/join.hpp"
#include "common/paragraph.hpp"
#include "common/parse_number.hpp"
#include "common/str_cat.hpp"
#include "launcher/command_line/option_parser.hpp"
#include "launcher/command_line/store_plan.hpp"
#include "launcher/job_status.hpp"
#include "launcher/output/printable.hpp"
#include "rendezvous/c10d/c10d_job.hpp"
#include "rendezvous/client/tcp_store_client.hpp"

namespace mdl::launcher {
namespace {

struct StatusOptions {
  std::string endpoint;
  std::string run_id;       ///< empty: the one that is there
  std::string secret_file;  ///< empty: none
  bool json = false;
  bool help = false;
  std::chrono::milliseconds timeout{5000};
};

const command_line::OptionTable& status_option_table() {
  static const command_line::OptionTable table(
      "mdl-launch status",
      {{"Options",
        {{"rdzv-endpoint", "HOST[:PORT]",
          str_cat("Where the job's rendezvous is (port ", kC10dPort,
                  " when left out). PET_RDZV_ENDPOINT gives a default.")},
         {"rdzv-id", "ID", "Which job; needed when there are several (default: PET_RDZV_ID)."},
         {"rdzv-conf", "KEY=VALUE,...",
          "As the job's nodes have it; what counts is secret_file=PATH, which a job that has one wants to see here as "
          "well (default: PET_RDZV_CONF)."},
         {"json", "", "Print one JSON object on one line."},
         {"timeout", "SECONDS", "How long to wait for an answer (default 5)."},
         {"help", "", "Print this text and exit.", 'h'}}}});
  return table;
}

std::chrono::milliseconds to_timeout(const std::string& text) {
  const auto seconds = parse_real_number(text);
  if (!seconds || !(*seconds > 0 && *seconds < 1e6)) {
    throw UsageError(str_cat("status: --timeout must be a number of seconds above 0, but is \"", text, "\""));
  }
  return std::chrono::ceil<std::chrono::milliseconds>(std::chrono::duration<double>(*seconds));
}

StatusOptions parse_status_options(const std::vector<std::string>& args, const command_line::Environment& environment) {
  StatusOptions options;
  const auto parsed = command_line::parse_options_only(args, status_option_table());
  const auto text = [&](const char* name, const char* variable) {
    const command_line::GivenOption* given = parsed.find(name);
    return given ? given->value : environment(variable).value_or("");
  };
  options.help = parsed.find("help");
  options.json = parsed.find("json");
  options.endpoint = text("rdzv-endpoint", "PET_RDZV_ENDPOINT");
  options.run_id = text("rdzv-id", "PET_RDZV_ID");
  options.secret_file = command_line::secret_file_of(text("rdzv-conf", "PET_RDZV_CONF"));
  if (const auto* given = parsed.find("timeout")) { options.timeout = to_timeout(given->value); }
  return options;
}

JobStatus ask(const Endpoint& endpoint, const rendezvous::access::StoreCredential& credential,
              const std::string& run_id, std::chrono::milliseconds timeout) {
  asio::io_context io;
  std::optional<JobStatus> status;
  std::exception_ptr failure;
  asio::co_spawn(io, read_job_status(endpoint, credential, run_id, timeout),
                 [&](const std::exception_ptr& error, JobStatus read) {
                   failure = error;
                   status = std::move(read);
                   io.stop();
                 });
  io.run();
  if (failure) { std::rethrow_exception(failure); }
  return std::move(*status);
}

std::string list_of(const std::vector<std::string>& ids) {
  constexpr std::size_t kMost = 20;
  std::vector<std::string> shown;
  for (std::size_t i = 0; i < std::min(ids.size(), kMost); ++i) { shown.push_back(output::printable(ids[i], 256)); }
  const std::string list = joined(shown, ", ", "\"", "\"");
  return ids.size() > kMost ? str_cat(list, " and ", ids.size() - kMost, " more") : list;
}

/// With an empty `run_id`: the only job that is there.
JobStatus find_job(const Endpoint& endpoint, const rendezvous::access::StoreCredential& credential,
                   const std::string& run_id, std::chrono::milliseconds timeout) {
  JobStatus status = ask(endpoint, credential, run_id, timeout);
  if (status.rendezvous.state) { return status; }
  const std::vector<std::string>& others = status.rendezvous.other_jobs;
  if (run_id.empty() && others.size() == 1) { return find_job(endpoint, credential, others.front(), timeout); }
  const std::string what =
      run_id.empty() ? "no job that could be meant" : str_cat("no job \"", output::printable(run_id), "\"");
  throw Error(str_cat("status: there is ", what, " at ", to_string(endpoint)),
              others.empty()
                  ? "No rendezvous at all is there: this store is for something else, or no node has come yet."
                  : str_cat("What is there: --rdzv-id ", list_of(others), "."));
}

}  // namespace

const command_line::CommandHelp& status_help() {
  static const command_line::CommandHelp help{
      .name = "status",
      .usage =
          "Usage: mdl-launch status --rdzv-endpoint HOST[:PORT] [--rdzv-id ID]\n"
          "                         [--rdzv-conf secret_file=PATH] [--json]\n",
      .description =
          "Prints who is in the rendezvous (c10d) of a job, started by mdl-launch or by torchrun: round, nodes, "
          "ranks, the nodes that wait or stand by, and the age of each one's last heartbeat. Takes no part in the "
          "job.",
      .options = &status_option_table(),
  };
  return help;
}

bool is_status_command(const std::vector<std::string>& args) {
  return !args.empty() && args.front() == "status";
}

int run_status_command(const std::vector<std::string>& args, const command_line::Environment& environment) {
  const StatusOptions options = parse_status_options({args.begin() + 1, args.end()}, environment);
  std::string text;
  if (options.help) {
    text = help_text(status_help(), output_width());
  } else {
    if (options.endpoint.empty()) {
      throw UsageError("status: --rdzv-endpoint is missing", "Write it as the job's nodes have it: HOST[:PORT].");
    }
    const Endpoint endpoint = parse_endpoint(options.endpoint, kC10dPort);
    rendezvous::access::StoreCredential credential;
    if (!options.secret_file.empty()) {
      credential = rendezvous::access::StoreCredential(rendezvous::access::read_store_secret(options.secret_file),
                                                       rendezvous::access::StoreRole::observer);
    }
    const JobStatus status = find_job(endpoint, credential, options.run_id, options.timeout);
    const auto now = std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
    text = options.json ? status_to_json(status, now) : format_status(status, now);
  }
  return std::fputs(text.c_str(), stdout) < 0 || std::fflush(stdout) != 0 ? kExitFailure : 0;
}

}  // namespace mdl::launcher
