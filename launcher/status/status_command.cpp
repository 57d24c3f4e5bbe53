#include "launcher/status/status_command.hpp"

#include <cstdio>

#include "common/error.hpp"
#include "common/paragraph.hpp"
#include "common/parse_number.hpp"
#include "common/str_cat.hpp"
#include "launcher/command_line/option_parser.hpp"
#include "launcher/command_line/store_plan.hpp"
#include "launcher/status/status_json.hpp"
#include "launcher/status/status_text.hpp"
#include "launcher/status/status_watch.hpp"
#include "rendezvous/c10d/c10d_job.hpp"

namespace mdl::launcher::status {
namespace {

struct StatusOptions {
  std::string endpoint;
  std::string run_id;       ///< empty: the one that is there
  std::string secret_file;  ///< empty: none
  bool json = false;
  bool watch = false;
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
         {"watch", "",
          "Print it anew each second, on a terminal in place, until the job ends, and say how, or until Ctrl-C."},
         {"json", "", "Print one JSON object on one line; with --watch one each second."},
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
  options.watch = parsed.find("watch");
  options.endpoint = text("rdzv-endpoint", "PET_RDZV_ENDPOINT");
  options.run_id = text("rdzv-id", "PET_RDZV_ID");
  options.secret_file = command_line::secret_file_of(text("rdzv-conf", "PET_RDZV_CONF"));
  if (const auto* given = parsed.find("timeout")) { options.timeout = to_timeout(given->value); }
  return options;
}

WatchedJob job_of(const StatusOptions& options) {
  if (options.endpoint.empty()) {
    throw UsageError("status: --rdzv-endpoint is missing", "Write it as the job's nodes have it: HOST[:PORT].");
  }
  WatchedJob job;
  job.endpoint = parse_endpoint(options.endpoint, kC10dPort);
  job.run_id = options.run_id;
  job.timeout = options.timeout;
  if (!options.secret_file.empty()) {
    job.credential = rendezvous::access::StoreCredential(rendezvous::access::read_store_secret(options.secret_file),
                                                         rendezvous::access::StoreRole::observer);
  }
  return job;
}

}  // namespace

const command_line::CommandHelp& status_help() {
  static const command_line::CommandHelp help{
      .name = "status",
      .usage =
          "Usage: mdl-launch status --rdzv-endpoint HOST[:PORT] [--rdzv-id ID]\n"
          "                         [--rdzv-conf secret_file=PATH] [--watch] [--json]\n",
      .description =
          "Prints who is in the rendezvous (c10d) of a job, started by mdl-launch or by torchrun: round, nodes, "
          "ranks, the nodes that wait or stand by, and the age of each one's last heartbeat. Of agents of mdl-launch "
          "also how the workers get on, where they tell it (MDL_PROGRESS), and the last events. Takes no part in the "
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
    const WatchedJob job = job_of(options);
    if (options.watch) { return watch_status(job, options.json); }
    const JobStatus status = read_status_once(job);
    const auto now = std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
    text = options.json ? status_to_json(status, now) : format_status(status, now);
  }
  return std::fputs(text.c_str(), stdout) < 0 || std::fflush(stdout) != 0 ? kExitFailure : 0;
}

}  // namespace mdl::launcher::status
