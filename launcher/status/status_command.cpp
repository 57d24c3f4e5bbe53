#include "launcher/status/status_command.hpp"

#include <algorithm>
#include <cstdio>
#include <optional>
#include <stdexcept>
#include <utility>

#include "common/error.hpp"
#include "common/paragraph.hpp"
#include "common/parse_number.hpp"
#include "common/str_cat.hpp"
#include "launcher/command_line/option_parser.hpp"
#include "launcher/command_line/option_value.hpp"
#include "launcher/command_line/store_plan.hpp"
#include "launcher/output/printable.hpp"
#include "launcher/status/job_finder.hpp"
#include "launcher/status/job_list.hpp"
#include "launcher/status/status_json.hpp"
#include "launcher/status/status_text.hpp"
#include "launcher/status/status_watch.hpp"
#include "rendezvous/c10d/c10d_job.hpp"

namespace mdl::launcher::status {
namespace {

struct StatusOptions {
  std::optional<Endpoint> store;  ///< none: that of a job on this machine
  std::string run_id;             ///< empty: the one that is there
  std::string secret_file;        ///< empty: none
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
          str_cat("Where the job's rendezvous is (port ", kC10dPort, " when left out, of a static job ", kStaticPort,
                  "). PET_RDZV_ENDPOINT gives a default.")},
         {"rdzv-backend", "static|c10d",
          "What counts is the port of an endpoint without one: status sees what is there."},
         {"master-addr", "HOST", "Where the store of a static job is (default 127.0.0.1, or PET_MASTER_ADDR)."},
         {"master-port", "PORT", str_cat("Its port (default ", kStaticPort, ", or PET_MASTER_PORT).")},
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

std::uint16_t to_master_port(const std::string& text) {
  if (text.empty()) { return kStaticPort; }
  const int port = command_line::to_port_number({"status: --master-port", text, "mdl-launch status"});
  if (port == 0) { throw UsageError("status: --master-port 0 is no port at which a store could be"); }
  return static_cast<std::uint16_t>(port);
}

/// Words on the command line come before variables.
std::optional<Endpoint> store_of(const std::function<std::string(const char*)>& given,
                                 const std::function<std::string(const char*)>& variable) {
  std::string backend = given("rdzv-backend");
  if (backend.empty()) { backend = variable("PET_RDZV_BACKEND"); }
  if (!backend.empty()) {
    command_line::check_choice({"status: --rdzv-backend", backend, "mdl-launch status"}, {"static", "c10d"});
  }
  const std::uint16_t port = backend == "static" ? kStaticPort : kC10dPort;
  const auto static_store = [](const std::string& addr, const std::string& master_port) {
    return parse_endpoint(addr.empty() ? "127.0.0.1" : addr, to_master_port(master_port));
  };
  if (const auto text = given("rdzv-endpoint"); !text.empty()) { return parse_endpoint(text, port); }
  std::string addr = given("master-addr");
  std::string master_port = given("master-port");
  const bool says_static = !addr.empty() || !master_port.empty();
  if (const auto text = variable("PET_RDZV_ENDPOINT"); !says_static && !text.empty()) {
    return parse_endpoint(text, port);
  }
  if (addr.empty()) { addr = variable("PET_MASTER_ADDR"); }
  if (master_port.empty()) { master_port = variable("PET_MASTER_PORT"); }
  return addr.empty() && master_port.empty() ? std::nullopt : std::optional(static_store(addr, master_port));
}

StatusOptions parse_status_options(const std::vector<std::string>& args, const command_line::Environment& environment) {
  StatusOptions options;
  const auto parsed = command_line::parse_options_only(args, status_option_table());
  const auto given = [&](const char* name) {
    const command_line::GivenOption* option = parsed.find(name);
    return option ? option->value : std::string();
  };
  const auto variable = [&](const char* name) { return environment(name).value_or(""); };
  const auto text = [&](const char* name, const char* otherwise) {
    return parsed.find(name) ? given(name) : variable(otherwise);
  };
  options.help = parsed.find("help");
  options.json = parsed.find("json");
  options.watch = parsed.find("watch");
  if (!options.help) { options.store = store_of(given, variable); }
  options.run_id = text("rdzv-id", "PET_RDZV_ID");
  options.secret_file = command_line::secret_file_of(text("rdzv-conf", "PET_RDZV_CONF"));
  if (parsed.find("timeout")) { options.timeout = to_timeout(given("timeout")); }
  return options;
}

rendezvous::access::StoreCredential observer_with(std::shared_ptr<const rendezvous::access::StoreSecret> secret) {
  return rendezvous::access::StoreCredential(std::move(secret), rendezvous::access::StoreRole::observer);
}

/// Of the store of `job`, as its agent tells; nothing where everybody may talk to it.
rendezvous::access::StoreCredential credential_of(const SignedJob& job) {
  if (!job.secret_file.empty()) { return observer_with(rendezvous::access::read_store_secret(job.secret_file)); }
  if (job.secret.empty()) { return {}; }
  try {
    return observer_with(std::make_shared<rendezvous::access::StoreSecret>(job.secret));
  } catch (const std::invalid_argument& error) {
    throw Error(str_cat("status: the agent of this job, pid ", job.pid, ", tells no secret: ", error.what()));
  }
}

WatchedJob watched(const StatusOptions& options, Endpoint store) {
  WatchedJob job;
  job.endpoint = std::move(store);
  job.run_id = options.run_id;
  job.timeout = options.timeout;
  if (!options.secret_file.empty()) {
    job.credential = observer_with(rendezvous::access::read_store_secret(options.secret_file));
  }
  return job;
}

WatchedJob watched(const StatusOptions& options, const SignedJob& found) {
  WatchedJob job = watched(options, found.store);
  job.run_id = found.run_id;
  if (options.secret_file.empty()) { job.credential = credential_of(found); }
  return job;
}

/// The jobs that may be meant, as far as agents on this machine tell of them.
std::vector<SignedJob> candidates(const StatusOptions& options) {
  std::vector<SignedJob> jobs = find_jobs();
  std::erase_if(jobs, [&](const SignedJob& job) {
    return (!options.run_id.empty() && job.run_id != options.run_id) || (options.store && job.store != *options.store);
  });
  return jobs;
}

/// With an endpoint the job that is there: where an agent here has made up the secret of that store, it tells it.
WatchedJob job_at_endpoint(const StatusOptions& options) {
  const std::vector<SignedJob> here = options.secret_file.empty() ? candidates(options) : std::vector<SignedJob>();
  const bool made_up = here.size() == 1 && !here.front().secret.empty();
  return made_up ? watched(options, here.front()) : watched(options, *options.store);
}

[[noreturn]] void throw_no_job_here(const StatusOptions& options) {
  const std::string name = options.run_id.empty() ? "" : str_cat(" \"", output::printable(options.run_id), "\"");
  throw Error(
      str_cat("status: no job", name, " of yours runs on this machine"),
      "For one that runs elsewhere, or in a container with a network of its own, write --rdzv-endpoint HOST[:PORT] "
      "as the job's nodes have it; of a static job --master-addr and --master-port will do.");
}

/// What is to be printed for one job; several are only listed.
struct StatusQuestion {
  std::optional<WatchedJob> job;
  std::vector<SignedJob> several{};
};

StatusQuestion question_of(const StatusOptions& options) {
  if (options.store) { return {job_at_endpoint(options)}; }
  std::vector<SignedJob> here = candidates(options);
  if (here.empty()) { throw_no_job_here(options); }
  if (here.size() == 1) { return {watched(options, here.front())}; }
  if (options.watch) {
    throw UsageError("status: --watch shows one job, and several of yours run on this machine",
                     str_cat("Name one. ", format_jobs(here)));
  }
  return {std::nullopt, std::move(here)};
}

std::string answer_once(const StatusQuestion& question, bool as_json) {
  if (!question.job) { return as_json ? jobs_to_json(question.several) : format_jobs(question.several); }
  const JobStatus status = read_status_once(*question.job);
  const auto now = std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
  return as_json ? status_to_json(status, now) : format_status(status, now);
}

}  // namespace

const command_line::CommandHelp& status_help() {
  static const command_line::CommandHelp help{
      .name = "status",
      .usage =
          "Usage: mdl-launch status [--rdzv-endpoint HOST[:PORT]] [--rdzv-id ID]\n"
          "                         [--rdzv-conf secret_file=PATH] [--watch] [--json]\n"
          "       mdl-launch status --master-addr HOST [--master-port PORT] ...\n",
      .description =
          "Prints who is in a job, started by mdl-launch or by torchrun: round, nodes, ranks, the nodes that wait or "
          "stand by, and the age of each one's last heartbeat. Of agents of mdl-launch also how the workers get on, "
          "where they tell it (MDL_PROGRESS), and the last events. Takes no part in the job. Without a place it is the "
          "job that an mdl-launch of yours runs on this machine, also one of one node; of several it prints a list.",
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
    const StatusQuestion question = question_of(options);
    if (options.watch) { return watch_status(*question.job, options.json); }
    text = answer_once(question, options.json);
  }
  return std::fputs(text.c_str(), stdout) < 0 || std::fflush(stdout) != 0 ? kExitFailure : 0;
}

}  // namespace mdl::launcher::status
