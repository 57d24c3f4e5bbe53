#include "launcher/command_line/option_table.hpp"

#include <algorithm>
#include <boost/program_options/value_semantic.hpp>
#include <numeric>

namespace po = boost::program_options;

namespace mdl::launcher::command_line {
namespace {

/// One row of --help. `value` is the placeholder of its value, nullptr for a flag.
struct Row {
  const char* name;  ///< and ",x" for the short name
  const char* value;
  const char* help;
};

struct Group {
  const char* title;
  std::vector<Row> rows;
};

const std::vector<Group>& groups() {
  static const std::vector<Group> all = {
      {"Workers",
       {
           {"nproc-per-node", "N|gpu|cpu|auto",
            "Workers on this node (default 1): a number; gpu: one for each visible GPU; cpu: one for each CPU; auto: "
            "gpu "
            "if there is one, else cpu."},
           {"role", "NAME", "Name of the workers' role, given to them as ROLE_NAME (default: default)."},
           {"max-restarts", "N", "How often all workers are started again after one failed (default 0)."},
           {"monitor-interval", "SECONDS",
            "Accepted for torchrun's sake. The end of a worker is seen at once, so there is nothing to tune."},
           {"signals-to-handle", "SIG,...",
            "Signals that are passed on to the workers and end the job (default SIGTERM,SIGINT,SIGHUP,SIGQUIT)."},
           {"shutdown-timeout", "SECONDS",
            "Time for workers to end before they are killed (default 30, or TORCH_ELASTIC_SHUTDOWN_TIMEOUT)."},
           {"numa-binding", "MODE",
            "Run each worker on the CPUs near its GPU: node, socket, exclusive or core-complex."},
           {"virtual-local-rank", nullptr,
            "Give every worker LOCAL_RANK 0 and CUDA_VISIBLE_DEVICES with its own GPU only."},
       }},
      {"What a worker runs",
       {
           {"module,m", nullptr, "PROGRAM is a Python module: run python -m PROGRAM."},
           {"no-python", nullptr, "PROGRAM is a program of its own: run it without python."},
           {"run-path", nullptr,
            "PROGRAM is a Python script, also with --no-python; what it raises is recorded in its error file."},
       }},
      {"How workers find each other",
       {
           {"standalone", nullptr,
            "One node. Starts a store on a free port of this host's loopback interface; --rdzv-* are ignored."},
           {"nnodes", "N|MIN:MAX", "Number of nodes (default 1)."},
           {"rdzv-backend", "static|c10d", "Rendezvous backend (default static)."},
           {"rdzv-endpoint", "HOST[:PORT]", "Where the rendezvous store is."},
           {"rdzv-id", "ID", "Identity of the job, given to workers as TORCHELASTIC_RUN_ID (default none)."},
           {"rdzv-conf", "KEY=VALUE,...", "Further settings of the rendezvous."},
           {"local-addr", "HOST", "Address of this node for the others."},
           {"node-rank", "N", "Rank of this node for --rdzv-backend static (default 0)."},
           {"master-addr", "HOST", "Address of the store for --rdzv-backend static (default 127.0.0.1)."},
           {"master-port", "PORT", "Port of the store for --rdzv-backend static (default 29500)."},
       }},
      {"Output of workers",
       {
           {"log-dir", "DIR",
            "Folder for log files: DIR/ID_RANDOM/attempt_N/LOCALRANK/stdout.log, stderr.log, error.json (default: a "
            "temporary one)."},
           {"redirects,r", "0-3|RANK:0-3,...",
            "Streams that go to log files instead of the console: 1 stdout, 2 stderr, 3 both; for all workers, or by "
            "local "
            "rank as in 0:3,1:2."},
           {"tee,t", "0-3|RANK:0-3,...", "Streams that go to log files and, each line with a prefix, to the console."},
           {"log-line-prefix-template", "TEXT",
            "Prefix of tee'd lines with ${role_name}, ${local_rank}, ${rank}, ${hostname} (default "
            "[${role_name}${local_rank}]:)."},
           {"local-ranks-filter", "RANK,...", "Only these workers' output reaches the console; log files get all."},
           {"duplicate-stdout-filters", "WORD,...",
            "Lines of tee'd stdout with one of the words go to filtered_stdout.log, too (,, stands for a comma)."},
           {"duplicate-stderr-filters", "WORD,...", "The same for stderr and filtered_stderr.log."},
       }},
      {"Other",
       {
           {"start-method", "spawn|fork|forkserver",
            "Checked and without effect: how Python starts functions; here workers are programs."},
           {"event-log-handler", "null|console",
            "console prints what happens to the workers on stderr, each event as a line of JSON (default null)."},
           {"logs-specs", "default",
            "default, as without it. Other names are refused: they mean a class that Python would have to load."},
           {"print-completion", "bash|zsh|tcsh", "Print a completion script for the shell and exit."},
           {"help,h", nullptr, "Print this text and exit."},
           {"version", nullptr, "Print the version and exit."},
       }},
  };
  return all;
}

std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row.back();
}

}  // namespace

po::options_description describe_options() {
  constexpr unsigned kWidth = 110;
  constexpr unsigned kDescriptionWidth = 62;
  po::options_description all("", kWidth, kDescriptionWidth);
  for (const Group& group : groups()) {
    po::options_description section(group.title, kWidth, kDescriptionWidth);
    for (const Row& row : group.rows) {
      const po::value_semantic* semantic;
      if (row.value) {
        semantic = po::value<std::string>()->value_name(row.value);
      } else {
        semantic = po::value<bool>()->zero_tokens()->implicit_value(true);
      }
      section.add_options()(row.name, semantic, row.help);
    }
    all.add(section);
  }
  return all;
}

std::vector<OptionEntry> option_entries(const po::options_description& description) {
  std::vector<OptionEntry> entries;
  for (const auto& option : description.options()) {
    entries.push_back({option->long_name(), option->description(), option->semantic()->max_tokens() == 0});
  }
  return entries;
}

std::optional<std::string> nearest_name(const std::string& name, const std::vector<std::string>& known) {
  std::optional<std::string> nearest;
  std::size_t least = name.size() / 3 + 1;  // more edits than this, and it is another word
  for (const std::string& candidate : known) {
    const std::size_t distance = edit_distance(name, candidate);
    if (distance <= least && (!nearest || distance < least)) {
      least = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

}  // namespace mdl::launcher::command_line
