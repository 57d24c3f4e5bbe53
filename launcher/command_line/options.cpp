#include "launcher/command_line/options.hpp"

#include <algorithm>

#include "common/error.hpp"
#include "common/nearest_name.hpp"
#include "common/paragraph.hpp"
#include "common/str_cat.hpp"
#include "common/version.hpp"
#include "launcher/command_line/command_help.hpp"
#include "launcher/command_line/commands.hpp"
#include "launcher/command_line/health_command.hpp"
#include "launcher/command_line/launch_option_table.hpp"
#include "launcher/command_line/option_parser.hpp"
#include "launcher/command_line/option_value.hpp"

namespace mdl::launcher::command_line {
namespace {

std::string variable_name(std::string option) {
  for (char& c : option) { c = c == '-' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c); }
  return str_cat("PET_", option);
}

/// The values by option; only those that were given.
using Values = std::map<std::string, OptionValue>;

/// What is on the command line, of an option that is given twice the last; else what a PET_* variable says. Options
/// that torchrun reads from the command line only have no variable.
Values values_of(const ParsedArguments& arguments, const Environment& environment) {
  Values values;
  for (const GivenOption& given : arguments.options) {
    const Option& option = *given.option;
    values[option.name] = {"--" + option.name, option.takes_value() ? given.value : "1"};
  }
  const std::set<std::string> without = {"help", "version", "print-completion", "logs-specs", "numa-binding"};
  for (const OptionGroup& group : launch_option_table().groups()) {
    for (const Option& option : group.options) {
      if (without.contains(option.name) || values.contains(option.name)) { continue; }
      const auto text = environment(variable_name(option.name));
      if (!text) { continue; }
      OptionValue value{str_cat("the environment variable ", variable_name(option.name)), *text};
      if (!option.takes_value()) { value.text = to_flag(value) ? "1" : "0"; }
      values[option.name] = value;
    }
  }
  return values;
}

void fill_log_options(LogOptions& logs, const Values& values, const Environment& environment) {
  const auto given = [&](const char* name, const auto& use) {
    if (const auto found = values.find(name); found != values.end()) { use(found->second); }
  };
  given("log-dir", [&](const OptionValue& value) { logs.log_dir = value.text; });
  given("redirects", [&](const OptionValue& value) { logs.redirects = to_stream_choice(value); });
  given("tee", [&](const OptionValue& value) { logs.tee = to_stream_choice(value); });
  given("log-line-prefix-template", [&](const OptionValue& value) { logs.line_prefix_template = value.text; });
  given("local-ranks-filter", [&](const OptionValue& value) {
    if (!value.text.empty()) { logs.local_ranks_filter = to_ranks(value); }
  });
  given("duplicate-stdout-filters",
        [&](const OptionValue& value) { logs.duplicate_filters[0] = parse_filters(value.text); });
  given("duplicate-stderr-filters",
        [&](const OptionValue& value) { logs.duplicate_filters[1] = parse_filters(value.text); });
  if (logs.line_prefix_template.empty()) {
    logs.line_prefix_template = environment("TORCHELASTIC_LOG_LINE_PREFIX_TEMPLATE").value_or("");
  }
}

/// Options of which a few words are known.
void fill_choices(LaunchOptions& options, const Values& values) {
  const auto given = [&](const char* name) -> const OptionValue* {
    const auto found = values.find(name);
    if (found == values.end()) { return nullptr; }
    check_choice(found->second, launch_option_table().find(name)->known_values());
    return &found->second;
  };
  given("start-method");
  if (const auto* handler = given("event-log-handler")) { options.logs_events = handler->text == "console"; }
  if (const auto* mode = given("numa-binding")) { options.numa_binding = machine::parse_numa_binding(mode->text); }
  // "default" is the entry point that PyTorch itself brings: what happens without the option.
  if (const auto specs = values.find("logs-specs"); specs != values.end() && specs->second.text != "default") {
    throw UsageError(
        str_cat("--logs-specs ", specs->second.text,
                ": it names an entry point of a Python package, and mdl-launch has no Python to load it with"),
        str_cat(did_you_mean(specs->second.text, std::vector<std::string>{"default"}),
                "--log-dir, --redirects, --tee and --local-ranks-filter say where output goes."));
  }
}

void fill_times(LaunchOptions& options, const Values& values, const Environment& environment) {
  const auto from = [&](const char* name, const char* variable) -> std::optional<OptionValue> {
    if (const auto found = values.find(name); found != values.end()) { return found->second; }
    const auto value = environment(variable);
    if (!value) { return std::nullopt; }
    return OptionValue{str_cat("the environment variable ", variable), *value};
  };
  if (const auto grace = from("shutdown-timeout", "TORCH_ELASTIC_SHUTDOWN_TIMEOUT")) {
    options.shutdown_timeout = to_int(*grace, 0);
  }
  if (const auto patience = from("", "TORCH_ELASTIC_EXIT_BARRIER_TIMEOUT")) {
    options.exit_barrier_timeout =
        std::chrono::round<std::chrono::milliseconds>(std::chrono::duration<double>(to_seconds(*patience)));
  }
  if (const auto found = values.find("hang-timeout"); found != values.end()) {
    options.hang_timeout = to_positive_seconds(found->second);
  }
  if (const auto found = values.find("monitor-interval"); found != values.end()) {
    to_seconds(found->second);  // checked, and without effect: an exit is seen at once
  }
}

void fill(LaunchOptions& options, const Values& values, const Environment& environment) {
  const auto text = [&](const char* name, std::string& field) {
    if (const auto found = values.find(name); found != values.end()) { field = found->second.text; }
  };
  const auto flag = [&](const char* name) {
    const auto found = values.find(name);
    return found != values.end() && found->second.text == "1";
  };
  const auto number = [&](const char* name, int& field, int least) {
    if (const auto found = values.find(name); found != values.end()) { field = to_int(found->second, least); }
  };
  options.standalone = flag("standalone");
  options.module = flag("module");
  options.no_python = flag("no-python");
  options.run_path = flag("run-path");
  options.virtual_local_rank = flag("virtual-local-rank");
  options.agent_store = environment("TORCH_DISABLE_SHARE_RDZV_TCP_STORE").value_or("") != "1";
  text("nproc-per-node", options.nproc_per_node);
  text("rdzv-backend", options.rdzv_backend);
  text("rdzv-endpoint", options.rdzv_endpoint);
  text("rdzv-id", options.rdzv_id);
  text("rdzv-conf", options.rdzv_conf);
  text("master-addr", options.master_addr);
  text("role", options.role);
  if (const auto found = values.find("health-command"); found != values.end()) {
    options.health_command = found->second.text;
    split_command(found->second.source, found->second.text);  // to say what is wrong with it
  }
  if (const auto found = values.find("dashboard"); found != values.end()) {
    options.dashboard = to_served_endpoint(found->second);
  }
  if (const auto found = values.find("metrics-port"); found != values.end()) {
    options.metrics = to_served_endpoint(found->second);
  }
  text("signals-to-handle", options.signals_to_handle);
  options.signals_to_handle = signal_list(parse_signals(options.signals_to_handle));
  number("max-restarts", options.max_restarts, 0);
  number("node-rank", options.node_rank, 0);
  if (const auto found = values.find("nnodes"); found != values.end()) {
    options.nnodes = to_node_range(found->second);
  }
  if (const auto found = values.find("local-addr"); found != values.end()) { options.local_addr = found->second.text; }
  if (const auto found = values.find("master-port"); found != values.end()) {
    options.master_port = to_port_number(found->second);
  }
  fill_times(options, values, environment);
  fill_choices(options, values);
  fill_log_options(options.logs, values, environment);
}

void refuse_shared_port(const LaunchOptions& options) {
  if (!options.metrics || options.metrics != options.dashboard || options.metrics->port == 0) { return; }
  throw UsageError(str_cat("--metrics-port and --dashboard are both ", options.metrics->port),
                   "Each needs a port of its own.");
}

LaunchOptions read_options(const ParsedArguments& arguments, const Environment& environment) {
  LaunchOptions options;
  fill(options, values_of(arguments, environment), environment);
  refuse_shared_port(options);
  options.first_word_is_program = arguments.options.empty() && arguments.program_begin == 0;
  if (arguments.program.empty()) { return options; }
  options.program = arguments.program.front();
  options.program_args.assign(arguments.program.begin() + 1, arguments.program.end());
  if (options.program.empty()) {
    throw UsageError("the program to run is an empty word",
                     "Was it meant to be the value of a shell variable? That one is not set.");
  }
  if (options.module && options.no_python && !options.run_path) {
    throw UsageError("--module and --no-python exclude each other",
                     "A module is run by python; leave one of them out.");
  }
  return options;
}

}  // namespace

const CommandHelp& launcher_help() {
  static const CommandHelp help{
      .name = "",
      .usage =
          "Usage: mdl-launch [options] PROGRAM [arguments of PROGRAM]\n"
          "       mdl-launch launch|config|env|doctor|status [options]\n",
      .description =
          "Starts one worker process or several on this node, tells each its rank, and watches over them, as torchrun "
          "does. Options stand before PROGRAM; '_' and '-' are the same in their names; a variable PET_NAME gives an "
          "option its default. Without --no-python or --module, PROGRAM is a Python script.",
      .options = &launch_option_table(),
      .ending =
          "Signals: SIGTERM, SIGINT, SIGHUP and SIGQUIT are passed on to the workers; those still there after 30 s "
          "are killed, at once on a second signal. When mdl-launch itself is killed, all its workers are too.\n"
          "Exit codes: 0 all workers succeeded; 1 a worker failed or a signal ended the job; 2 wrong command line; "
          "126 PROGRAM is not executable; 127 PROGRAM was not found.",
      .commands = commands(),
      .starts_program = true,
  };
  return help;
}

ParsedCommandLine parse_command_line(const std::vector<std::string>& args, const Environment& environment) {
  const ParsedArguments arguments = parse_arguments(args, launch_option_table());
  ParsedCommandLine parsed;
  if (arguments.find("help")) {
    parsed.text = help_text(launcher_help(), output_width());
    return parsed;
  }
  if (arguments.find("version")) {
    parsed.text = str_cat("mdl-launch ", version(), *commit() ? str_cat(" (commit ", commit(), ")") : "", "\n");
    return parsed;
  }
  if (const GivenOption* shell = arguments.find("print-completion")) {
    check_choice({"--print-completion", shell->value}, shell->option->known_values());
    parsed.completion_shell = shell->value;
    return parsed;
  }
  parsed.options = read_options(arguments, environment);
  if (arguments.program.empty()) {
    throw UsageError("no program to run: the command line ends after the options",
                     "Name a Python script, or a program after --no-python. mdl-launch --help shows how.");
  }
  return parsed;
}

LaunchOptions parse_launch_options(const std::vector<std::string>& args, const Environment& environment) {
  return read_options(parse_arguments(args, launch_option_table()), environment);
}

}  // namespace mdl::launcher::command_line
