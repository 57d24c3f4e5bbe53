#include "launcher/command_line/launch_option_table.hpp"

#include "common/endpoint.hpp"
#include "common/str_cat.hpp"
#include "launcher/command_line/options.hpp"

namespace mdl::launcher::command_line {
namespace {

// As they are where nothing is given.
const LaunchOptions kDefaults;

const std::vector<OptionGroup> kGroups = {
    {"Workers",
     {
         {"nproc-per-node", "N|gpu|cpu|auto",
          str_cat("Workers on this node (default ", kDefaults.nproc_per_node,
                  "): a number; gpu: one for each visible GPU; cpu: one for each CPU; auto: gpu if there is one, else "
                  "cpu.")},
         {"role", "NAME",
          str_cat("Name of the workers' role, given to them as ROLE_NAME (default: ", kDefaults.role, ").")},
         {"max-restarts", "N",
          str_cat("How often all workers are started again after one failed (default ", kDefaults.max_restarts, ").")},
         {"monitor-interval", "SECONDS",
          "Accepted for torchrun's sake. The end of a worker is seen at once, so there is nothing to tune."},
         {"health-command", "PROG",
          "A program with its arguments that is run on this node before each join. One that fails, or takes longer "
          "than 30 s, keeps this node out of the job, and its last line says why. No shell reads it."},
         {"hang-timeout", "SECONDS",
          "Ends the workers when no rank of the job has made a step for so long, as far as they tell their steps "
          "(MDL_PROGRESS), and starts them again while restarts are left. Without it a hang is only told."},
         {"dashboard", "[HOST:]PORT",
          "Show the job in a browser at http://127.0.0.1:PORT/, or at HOST for others who have the whole address, on "
          "the "
          "node that hosts the job's store; 0: any free port. The other nodes open none. The address is in the log."},
         {"metrics-port", "[HOST:]PORT",
          "Serve the job's metrics for Prometheus at http://127.0.0.1:PORT/metrics, or at HOST for others to see, on "
          "the "
          "node that hosts the job's store; 0: any free port. The other nodes open none."},
         {"signals-to-handle", "SIG,...",
          str_cat("Signals that are passed on to the workers and end the job (default ", kDefaults.signals_to_handle,
                  ").")},
         {"shutdown-timeout", "SECONDS",
          str_cat("Time for workers to end before they are killed (default ", kDefaults.shutdown_timeout,
                  ", or TORCH_ELASTIC_SHUTDOWN_TIMEOUT).")},
         {"numa-binding",
          "MODE",
          "Run each worker on the CPUs near its GPU: node, socket, exclusive or core-complex.",
          0,
          false,
          false,
          {"node", "socket", "exclusive", "core-complex"}},
         {"virtual-local-rank", "", "Give every worker LOCAL_RANK 0 and CUDA_VISIBLE_DEVICES with its own GPU only."},
     }},
    {"What a worker runs",
     {
         {"module", "", "PROGRAM is a Python module: run python -m PROGRAM.", 'm'},
         {"no-python", "", "PROGRAM is a program of its own: run it without python."},
         {"run-path", "",
          "PROGRAM is a Python script, also with --no-python; what it raises is recorded in its error file."},
     }},
    {"How workers find each other",
     {
         {"standalone", "",
          "One node. Starts a store on a free port of this host's loopback interface; --rdzv-* are ignored."},
         {"nnodes", "N|MIN:MAX", str_cat("Number of nodes (default ", kDefaults.nnodes.min, ").")},
         {"rdzv-backend", "static|c10d", str_cat("Rendezvous backend (default ", kDefaults.rdzv_backend, ").")},
         {"rdzv-endpoint", "HOST[:PORT]", "Where the rendezvous store is."},
         {"rdzv-id", "ID",
          str_cat("Identity of the job, given to workers as TORCHELASTIC_RUN_ID (default ", kDefaults.rdzv_id, ").")},
         {"rdzv-conf", "KEY=VALUE,...", "Further settings of the rendezvous."},
         {"local-addr", "HOST", "Address of this node for the others."},
         {"node-rank", "N",
          str_cat("Rank of this node for --rdzv-backend static (default ", kDefaults.node_rank, ").")},
         {"master-addr", "HOST",
          str_cat("Address of the store for --rdzv-backend static (default ", kDefaults.master_addr, ").")},
         {"master-port", "PORT", str_cat("Port of the store for --rdzv-backend static (default ", kStaticPort, ").")},
     }},
    {"Output of workers",
     {
         {"log-dir", "DIR",
          "Folder for log files: DIR/ID_RANDOM/attempt_N/LOCALRANK/stdout.log, stderr.log, error.json (default: a "
          "temporary one)."},
         {"redirects", "0-3|RANK:0-3,...",
          "Streams that go to log files instead of the console: 1 stdout, 2 stderr, 3 both; for all workers, or by "
          "local rank as in 0:3,1:2.",
          'r'},
         {"tee", "0-3|RANK:0-3,...", "Streams that go to log files and, each line with a prefix, to the console.", 't'},
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
         {"print-completion", "bash|zsh|fish|tcsh", "Print a completion script for the shell and exit."},
         {"help", "", "Print this text and exit.", 'h'},
         {"version", "", "Print the version and exit."},
     }}};

}  // namespace

const OptionTable& launch_option_table() {
  static const OptionTable table("mdl-launch", kGroups);
  return table;
}

}  // namespace mdl::launcher::command_line
