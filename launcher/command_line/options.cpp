#include "launcher/command_line/options.hpp"

#include <algorithm>
#include <boost/program_options/parsers.hpp>
#include <boost/program_options/variables_map.hpp>

#include "common/error.hpp"
#include "common/option_word.hpp"
#include "common/str_cat.hpp"
#include "common/version.hpp"
#include "launcher/command_line/completion.hpp"
#include "launcher/command_line/option_table.hpp"
#include "launcher/command_line/option_value.hpp"
#include "launcher/command_line/signal_names.hpp"

namespace po = boost::program_options;

namespace mdl::launcher::command_line {
namespace {

constexpr const char* kSeeHelp = "mdl-launch --help lists the options.";

/// `name` without its dashes, exactly or as the unique beginning of a known name.
OptionEntry recognise(std::string name, const std::vector<OptionEntry>& known) {
  std::replace(name.begin(), name.end(), '_', '-');
  std::vector<OptionEntry> matches;
  for (const OptionEntry& option : known) {
    if (option.name == name) { return option; }
    if (!name.empty() && option.name.compare(0, name.size(), name) == 0) { matches.push_back(option); }
  }
  if (matches.size() == 1) { return matches.front(); }
  std::vector<std::string> names;
  for (const OptionEntry& option : matches.empty() ? known : matches) { names.push_back(option.name); }
  if (!matches.empty()) {
    std::string list;
    for (const std::string& match : names) { list += str_cat(list.empty() ? "--" : ", --", match); }
    throw UsageError(str_cat("option --", name, " is ambiguous"), str_cat("It may be ", list, "."));
  }
  const auto nearest = nearest_name(name, names);
  throw UsageError(str_cat("unknown option --", name),
                   nearest ? str_cat("Did you mean --", *nearest, "? ", kSeeHelp) : kSeeHelp);
}

OptionEntry recognise_short(char letter, const po::options_description& description,
                            const std::vector<OptionEntry>& known) {
  if (const auto* option = description.find_nothrow(str_cat("-", letter), false)) {
    return recognise(option->long_name(), known);
  }
  throw UsageError(str_cat("unknown option -", letter), kSeeHelp);
}

/// The options before the program, in their order, and the index of the program in `args`.
struct SplitArgs {
  std::vector<po::option> options;  ///< full name, and the value if the option takes one
  std::size_t program_index = 0;
  bool ended = false;  ///< by a "--" before the program
};

SplitArgs split_at_program(const std::vector<std::string>& args, const po::options_description& description) {
  const std::vector<OptionEntry> known = option_entries(description);
  SplitArgs split;
  std::size_t& i = split.program_index;
  while (i < args.size()) {
    const std::string& word = args[i];
    if (word == "--") {
      ++i;
      split.ended = true;
      break;
    }
    if (word.size() < 2 || word[0] != '-') { break; }

    OptionEntry option;
    std::optional<std::string> value;
    if (word[1] == '-') {
      const std::size_t equals = word.find('=');
      option = recognise(word.substr(2, equals == std::string::npos ? equals : equals - 2), known);
      if (equals != std::string::npos) { value = word.substr(equals + 1); }
    } else {
      option = recognise_short(word[1], description, known);
      if (word.size() > 2) { value = word.substr(word[2] == '=' ? 3 : 2); }
    }
    ++i;

    if (option.flag) {
      if (value) {
        throw UsageError(str_cat("option --", option.name, " takes no value, but got \"", *value, "\""), kSeeHelp);
      }
      split.options.emplace_back(option.name, std::vector<std::string>{});
      continue;
    }
    if (!value) {
      if (i == args.size() || !may_be_option_value(args[i])) {
        throw UsageError(str_cat("option --", option.name, " needs a value"), kSeeHelp);
      }
      value = args[i++];
    }
    split.options.emplace_back(option.name, std::vector<std::string>{*value});
  }
  return split;
}

std::string variable_name(std::string option) {
  for (char& c : option) { c = c == '-' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c); }
  return str_cat("PET_", option);
}

/// PET_* variables as parsed options. Those of options that torchrun reads from the command line only are left out.
po::parsed_options parse_environment(const po::options_description& description, const Environment& environment) {
  po::parsed_options parsed(&description);
  const std::set<std::string> without = {"help", "version", "print-completion", "logs-specs", "numa-binding"};
  for (const OptionEntry& option : option_entries(description)) {
    const std::string& name = option.name;
    if (without.contains(name)) { continue; }
    const std::string variable = variable_name(name);
    auto value = environment(variable);
    if (!value) { continue; }
    if (option.flag) {
      value->assign(1, to_flag({str_cat("the environment variable ", variable), *value}) ? '1' : '0');
    }
    parsed.options.emplace_back(name, std::vector<std::string>{*value});
  }
  return parsed;
}

std::string help_text(const po::options_description& description) {
  return str_cat(
      "Usage: mdl-launch [options] PROGRAM [arguments of PROGRAM]\n"
      "       mdl-launch launch|config|env|doctor|status [options]\n\n"
      "Starts one worker process or several on this node, tells each its rank, and watches over them, as\n"
      "torchrun does. Options stand before PROGRAM; '_' and '-' are the same in their names; a variable\n"
      "PET_NAME gives an option its default. Without --no-python or --module, PROGRAM is a Python script.\n\n"
      "Commands (--help after one shows its options; a program of such a name is started as ./NAME):\n"
      "  launch   start PROGRAM from accelerate's YAML configuration\n"
      "  config   write that configuration, asking questions\n"
      "  env      print what a bug report needs\n"
      "  doctor   check this machine, the network and a job's options before a launch\n"
      "  status   show who is in the rendezvous of a running job\n",
      description,
      "\nSignals: SIGTERM, SIGINT, SIGHUP and SIGQUIT are passed on to the workers; those still there after "
      "30 s\nare killed, at once on a second signal. When mdl-launch itself is killed, all its workers are "
      "too.\nExit codes: 0 all workers succeeded; 1 a worker failed or a signal ended the job; 2 wrong "
      "command line;\n126 PROGRAM is not executable; 127 PROGRAM was not found.\n");
}

/// The values by option; only those that were given.
using Values = std::map<std::string, OptionValue>;

Values to_values(const po::variables_map& given, const po::parsed_options& on_command_line) {
  Values values;
  for (const auto& [name, value] : given) {
    const bool is_text = value.value().type() == typeid(std::string);
    const bool typed = std::any_of(on_command_line.options.begin(), on_command_line.options.end(),
                                   [&name = name](const po::option& option) { return option.string_key == name; });
    values[name] = {typed ? "--" + name : "the environment variable " + variable_name(name),
                    is_text            ? value.as<std::string>()
                    : value.as<bool>() ? "1"
                                       : "0"};
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
  const auto given = [&](const char* name, const std::vector<std::string>& choices) -> const OptionValue* {
    const auto found = values.find(name);
    if (found == values.end()) { return nullptr; }
    check_choice(found->second, choices);
    return &found->second;
  };
  given("start-method", {"spawn", "fork", "forkserver"});
  if (const auto* handler = given("event-log-handler", {"null", "console"})) {
    options.logs_events = handler->text == "console";
  }
  if (const auto* mode = given("numa-binding", {"node", "socket", "exclusive", "core-complex"})) {
    options.numa_binding = machine::parse_numa_binding(mode->text);
  }
  // "default" is the entry point that PyTorch itself brings: what happens without the option.
  if (const auto specs = values.find("logs-specs"); specs != values.end() && specs->second.text != "default") {
    throw UsageError(
        str_cat("--logs-specs ", specs->second.text,
                ": it names an entry point of a Python package, and mdl-launch has no Python to load it with"),
        "--log-dir, --redirects, --tee and --local-ranks-filter say where output goes.");
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
    options.exit_barrier_timeout = to_seconds(*patience);
  }
  if (const auto found = values.find("monitor-interval"); found != values.end()) {
    options.monitor_interval = to_seconds(found->second);
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

}  // namespace

ParsedCommandLine parse_command_line(const std::vector<std::string>& args, const Environment& environment) {
  const po::options_description description = describe_options();
  const SplitArgs split = split_at_program(args, description);
  const auto asked = [&](const char* option) {
    return std::any_of(split.options.begin(), split.options.end(),
                       [&](const po::option& given) { return given.string_key == option; });
  };
  ParsedCommandLine parsed;
  if (asked("help")) {
    parsed.text = help_text(description);
    return parsed;
  }
  if (asked("version")) {
    parsed.text = str_cat("mdl-launch ", version(), "\n");
    return parsed;
  }
  for (const po::option& given : split.options) {
    if (given.string_key != "print-completion") { continue; }
    check_choice({"--print-completion", given.value.front()}, {"bash", "zsh", "tcsh"});
    parsed.text = completion_script(given.value.front(), description);
    return parsed;
  }

  po::variables_map values;
  // Of an option that is given twice, argparse takes the last, Program_options the first.
  po::parsed_options given(&description);
  try {
    for (auto option = split.options.rbegin(); option != split.options.rend(); ++option) {
      const bool overridden = std::any_of(given.options.begin(), given.options.end(), [&](const po::option& later) {
        return later.string_key == option->string_key;
      });
      if (!overridden) { given.options.push_back(*option); }
    }
    po::store(given, values);
    po::store(parse_environment(description, environment), values);
    po::notify(values);
  } catch (const po::error& error) { throw UsageError(error.what(), kSeeHelp); }
  fill(parsed.options, to_values(values, given), environment);

  if (split.program_index >= args.size()) {
    throw UsageError("no program to run: the command line ends after the options",
                     "Name a Python script, or a program after --no-python. mdl-launch --help shows how.");
  }
  parsed.options.program = args[split.program_index];
  if (parsed.options.program.empty()) {
    throw UsageError("the program to run is an empty word",
                     "Was it meant to be the value of a shell variable? That one is not set.");
  }
  parsed.options.program_args.assign(args.begin() + static_cast<std::ptrdiff_t>(split.program_index) + 1, args.end());
  // argparse removes the first "--" of a command line, also when it comes directly behind the program.
  std::vector<std::string>& rest = parsed.options.program_args;
  if (!split.ended && !rest.empty() && rest.front() == "--") { rest.erase(rest.begin()); }
  if (parsed.options.module && parsed.options.no_python && !parsed.options.run_path) {
    throw UsageError("--module and --no-python exclude each other",
                     "A module is run by python; leave one of them out.");
  }
  return parsed;
}

}  // namespace mdl::launcher::command_line
