#include "launcher/option_table.hpp"

#include <algorithm>
#include <boost/program_options/value_semantic.hpp>
#include <numeric>

namespace po = boost::program_options;

namespace mdl::launcher {
namespace {

po::typed_value<std::string>* text(const char* placeholder) {
  return po::value<std::string>()->value_name(placeholder);
}

po::typed_value<bool>* flag() {
  return po::value<bool>()->zero_tokens()->implicit_value(true);
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

  po::options_description workers("Workers", kWidth, kDescriptionWidth);
  workers.add_options()(
      "nproc-per-node", text("N|gpu|cpu|auto"),
      "Workers on this node (default 1): a number; gpu: one for each visible GPU; cpu: one for each CPU; auto: gpu "
      "if there is one, else cpu.")("role", text("NAME"),
                                    "Name of the workers' role, given to them as ROLE_NAME (default: default).")(
      "max-restarts", text("N"), "How often all workers are started again after one failed (default 0).")(
      "monitor-interval", text("SECONDS"),
      "Accepted for torchrun's sake. The end of a worker is seen at once, so there is nothing to tune.");

  po::options_description program("What a worker runs", kWidth, kDescriptionWidth);
  program.add_options()("module,m", flag(), "PROGRAM is a Python module: run python -m PROGRAM.")(
      "no-python", flag(), "PROGRAM is a program of its own: run it without python.");

  po::options_description rendezvous("How workers find each other", kWidth, kDescriptionWidth);
  rendezvous.add_options()(
      "standalone", flag(),
      "One node. Starts a store on a free port of this host's loopback interface; --rdzv-* are ignored.")(
      "nnodes", text("N|MIN:MAX"), "Number of nodes (default 1).")(
      "rdzv-backend", text("static|c10d"), "Rendezvous backend (default static).")("rdzv-endpoint", text("HOST[:PORT]"),
                                                                                   "Where the rendezvous store is.")(
      "rdzv-id", text("ID"), "Identity of the job, given to workers as TORCHELASTIC_RUN_ID (default none).")(
      "master-addr", text("HOST"), "Address of the store for --rdzv-backend static (default 127.0.0.1).")(
      "master-port", text("PORT"), "Port of the store for --rdzv-backend static (default 29500).");

  po::options_description other("Other", kWidth, kDescriptionWidth);
  other.add_options()("help,h", flag(), "Print this text and exit.")("version", flag(), "Print the version and exit.");

  all.add(workers).add(program).add(rendezvous).add(other);
  return all;
}

bool is_flag(const po::option_description& option) {
  return option.semantic()->max_tokens() == 0;
}

const std::vector<FutureOption>& future_options() {
  static const std::vector<FutureOption> options = {
      {"rdzv-conf", "", false},
      {"node-rank", "", false},
      {"local-addr", "", false},
      {"start-method", "", false},
      {"event-log-handler", "", false},
      {"run-path", "", true},
      {"log-dir", "", false},
      {"redirects", "r", false},
      {"tee", "t", false},
      {"log-line-prefix-template", "", false},
      {"local-ranks-filter", "", false},
      {"duplicate-stdout-filters", "", false},
      {"duplicate-stderr-filters", "", false},
      {"logs-specs", "", false},
      {"numa-binding", "", false},
      {"signals-to-handle", "", false},
      {"shutdown-timeout", "", false},
      {"virtual-local-rank", "", true},
      {"print-completion", "", false},
  };
  return options;
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

}  // namespace mdl::launcher
