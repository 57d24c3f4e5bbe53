// What a doctor makes of the facts that another node, or a stranger at its port, sends.
#include <sstream>

#include "launcher/doctor/checks.hpp"
#include "launcher/doctor/report.hpp"
#include "launcher/doctor/socket.hpp"
#include "tests/fuzz/fuzz_input.hpp"

using namespace mdl;
using namespace mdl::launcher::doctor;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto message = parse_message(std::string(mdl::fuzz::text_of(data, size)));
  if (!message) { return 0; }
  NodeFacts facts;
  try {
    facts = message->get<NodeFacts>();
  } catch (const nlohmann::json::exception&) { return 0; }
  JobSpec job;
  job.nodes = 2;
  job.host = "node0";
  job.processes_here = 8;
  job.program = {"mdl-toolkit", "train"};
  job.wants_gpus = size % 2 == 0;
  NodeFacts own;
  own.host = "node0";
  const std::vector<NodeFacts> nodes{own, facts};
  const auto findings = examine(job, nodes);
  mdl::fuzz::claim(!findings.empty(), "the doctor always has something to say");
  std::ostringstream table;
  print_table(table, findings, nodes.size(), false);
  mdl::fuzz::claim(table.str().find('\x1b') == std::string::npos, "nothing from the network steers the terminal");
  report_json(job, findings, nodes).dump();
  return 0;
}
