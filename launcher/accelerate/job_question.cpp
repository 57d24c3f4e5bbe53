#include "launcher/accelerate/job_question.hpp"

#include <algorithm>
#include <limits>
#include <set>

#include "common/endpoint.hpp"
#include "common/error.hpp"
#include "common/option_word.hpp"
#include "common/parse_number.hpp"
#include "common/str_cat.hpp"
#include "launcher/accelerate/find_config.hpp"
#include "launcher/accelerate/option_table.hpp"

namespace mdl::launcher::accelerate {
namespace {

using Words = std::vector<std::string>;

constexpr uint16_t kStaticPort = 29500;  // torchrun's defaults
constexpr uint16_t kC10dPort = 29400;

/// Options that both launchers have; every other one of accelerate's tells that its words are used.
const std::set<std::string> kShared{"tee",          "log_dir",          "role",   "rdzv_backend", "rdzv_conf",
                                    "max_restarts", "monitor_interval", "module", "no_python",    "help"};

/// One option with its value, as they stand in the words.
struct GivenOption {
  const OptionSpec* spec;
  std::string value;
};

/// Splits the words into options and the program. An option that nobody has is an error.
std::vector<GivenOption> scan(const Words& words, Words& program) {
  std::vector<GivenOption> given;
  size_t at = 0;
  for (; at < words.size(); ++at) {
    const std::string& word = words[at];
    if (word == "--") {
      ++at;
      break;
    }
    if (word.size() < 2 || word[0] != '-') { break; }
    const OptionSpec* spec = find_option(word);
    if (!spec) {
      throw UsageError("unknown option " + word,
                       "mdl-launch doctor takes the options of mdl-launch and of mdl-launch launch.");
    }
    std::string value;
    if (spec->has_value) {
      size_t equals = word.starts_with("--") ? word.find('=') : std::string::npos;
      if (equals != std::string::npos) {
        value = word.substr(equals + 1);
      } else if (!word.starts_with("--") && word.size() > 2) {
        value = word.substr(2);
      } else if (at + 1 < words.size() && may_be_option_value(words[at + 1])) {
        value = words[++at];
      } else {
        throw UsageError(word + ": the value is missing");
      }
    }
    given.push_back({spec, value});
  }
  program.assign(words.begin() + static_cast<std::ptrdiff_t>(std::min(at, words.size())), words.end());
  return given;
}

int number(const std::string& name, const std::string& text, int most = std::numeric_limits<int>::max()) {
  const auto value = parse_whole_number(text);
  if (!value || *value < 0 || *value > most) {
    throw UsageError(str_cat("--", name, ": \"", text, "\" is not a whole number from 0 to ", most));
  }
  return static_cast<int>(*value);
}

doctor::JobQuestion question_of_accelerate(const Words& words, const machine::MachineFacts& facts) {
  LaunchOptions options = parse_launch_options(words);
  auto config = find_config(options, facts.environment);
  machine::MachineFacts patient = facts;
  patient.port_holder = [](int) { return ""; };  // the doctor looks at the port itself
  LaunchPlan plan = resolve_plan(options, config ? &*config : nullptr, patient);
  doctor::JobQuestion job = question_of(plan, config ? config->use_cpu : options.cpu);
  if (plan.kind == LaunchPlan::Kind::simple && plan.num_machines > 1) {
    job.node_rank = config ? config->machine_rank : -1;
  }
  return job;
}

/// Values by name: the command line over PET_NAME over torchrun's default.
class TorchrunValues {
 public:
  TorchrunValues(const std::vector<GivenOption>& given, const machine::Environment& environment)
      : given_(given), environment_(environment) {}

  std::string get(const std::string& name, const std::string& otherwise) const {
    std::string value = otherwise;
    std::string variable = "PET_" + name;
    std::transform(variable.begin(), variable.end(), variable.begin(), [](unsigned char c) { return std::toupper(c); });
    if (auto found = environment_.find(variable); found != environment_.end()) { value = found->second; }
    for (const GivenOption& option : given_) {
      if (option.spec->name == name) { value = option.spec->has_value ? option.value : "1"; }
    }
    return value;
  }
  bool flag(const std::string& name) const {
    std::string value = get(name, "0");
    return parse_whole_number(value).value_or(0) != 0;
  }

 private:
  const std::vector<GivenOption>& given_;
  const machine::Environment& environment_;
};

int processes_here(const std::string& text, const machine::MachineFacts& facts, doctor::JobQuestion& job) {
  int gpus = facts.gpu_count();
  if (text == "gpu" || (text == "auto" && gpus > 0)) {
    job.wants_gpus = true;
    return std::max(gpus, 1);
  }
  if (text == "cpu" || text == "auto") { return facts.physical_cores(); }
  int processes = number("nproc-per-node", text);
  job.wants_gpus = gpus > 0 && processes <= gpus;  // more processes than GPUs can only be meant for CPUs
  return processes;
}

doctor::JobQuestion question_of_torchrun(const std::vector<GivenOption>& given, const machine::MachineFacts& facts) {
  TorchrunValues values(given, facts.environment);
  doctor::JobQuestion job;
  std::string nodes = values.get("nnodes", "1");
  const size_t colon = nodes.find(':');
  job.nodes = std::max(1, number("nnodes", nodes.substr(0, colon)));
  if (colon != std::string::npos) { number("nnodes", nodes.substr(colon + 1)); }
  job.processes_here = processes_here(values.get("nproc_per_node", "1"), facts, job);
  job.backend = values.get("rdzv_backend", "static");
  if (job.backend == "static") { job.node_rank = number("node-rank", values.get("node_rank", "0")); }
  job.no_python = values.flag("no_python");
  job.module = values.flag("module");
  std::string endpoint = values.get("rdzv_endpoint", "");
  job.standalone = values.flag("standalone") || (job.nodes == 1 && endpoint.empty());
  if (job.standalone) { return job; }
  if (endpoint.empty()) {
    if (job.backend != "static") {
      throw UsageError("--rdzv-endpoint is missing", "Give --rdzv-endpoint HOST[:PORT], the same on all nodes.");
    }
    job.host = values.get("master_addr", "127.0.0.1");
    if (job.host.starts_with('[') && job.host.ends_with(']')) { job.host = job.host.substr(1, job.host.size() - 2); }
    job.port = number("master-port", values.get("master_port", std::to_string(kStaticPort)), 65535);
  } else {
    Endpoint parsed = parse_endpoint(endpoint, job.backend == "static" ? kStaticPort : kC10dPort);
    job.host = parsed.host;
    job.port = parsed.port;
  }
  return job;
}

}  // namespace

doctor::JobQuestion question_of(const LaunchPlan& plan, bool use_cpu) {
  doctor::JobQuestion job;
  job.nodes = plan.num_machines;
  job.processes_here = plan.nproc_per_node;
  job.node_rank = plan.machine_rank.value_or(-1);
  job.backend = plan.rdzv_backend;
  job.wants_gpus = plan.kind == LaunchPlan::Kind::multi;
  job.use_cpu = use_cpu;
  job.no_python = plan.options.no_python;
  job.module = plan.options.module;
  job.program = plan.options.program;
  job.omp_threads = plan.environment.at("OMP_NUM_THREADS");
  if (plan.num_machines == 1) { return job; }
  job.standalone = false;
  if (plan.rdzv_endpoint) {
    Endpoint endpoint = parse_endpoint(*plan.rdzv_endpoint, kStaticPort);
    job.host = endpoint.host;
    job.port = endpoint.port;
  } else {
    job.host = plan.master_addr ? *plan.master_addr : plan.environment.at("MASTER_ADDR");
    job.port = plan.master_port ? *plan.master_port : number("main-process-port", plan.environment.at("MASTER_PORT"));
  }
  return job;
}

DoctorOptions parse_doctor_options(const Words& arguments) {
  DoctorOptions options;
  for (size_t at = 0; at < arguments.size(); ++at) {
    const std::string& word = arguments[at];
    if (word == "-h" || word == "--help") {
      options.help = true;
    } else if (word == "--json") {
      options.json = true;
    } else if (word == "--wait" || word.starts_with("--wait=")) {
      if (word == "--wait" && at + 1 >= arguments.size()) {
        throw UsageError("--wait: the value is missing", "Example: --wait 60");
      }
      int seconds = number("wait", word == "--wait" ? arguments[++at] : word.substr(7));
      options.wait = std::chrono::seconds(std::min(seconds, 86400));
    } else {
      options.job.push_back(word);
      const OptionSpec* spec = word.size() > 1 && word[0] == '-' ? find_option(word) : nullptr;
      bool value_follows =
          spec && spec->has_value && (word.starts_with("--") ? word.find('=') == std::string::npos : word.size() == 2);
      if (value_follows && at + 1 < arguments.size()) { options.job.push_back(arguments[++at]); }
      if (word.empty() || word[0] != '-' || word == "--") {  // the program and its own arguments
        options.job.insert(options.job.end(), arguments.begin() + static_cast<std::ptrdiff_t>(at) + 1, arguments.end());
        break;
      }
    }
  }
  return options;
}

doctor::JobQuestion job_question(const Words& words, const machine::MachineFacts& facts) {
  Words program;
  auto given = scan(words, program);
  bool accelerates = std::any_of(given.begin(), given.end(), [](const GivenOption& option) {
    return option.spec->use == OptionSpec::Use::engine ||
           (option.spec->use == OptionSpec::Use::taken && !kShared.contains(option.spec->name));
  });
  if (accelerates) { return question_of_accelerate(words, facts); }
  doctor::JobQuestion job = question_of_torchrun(given, facts);
  job.program = program;
  return job;
}

}  // namespace mdl::launcher::accelerate
