#include "launcher/doctor/report.hpp"

#include <algorithm>
#include <iomanip>
#include <ostream>

namespace mdl::launcher::doctor {
namespace {

const char* colour_of(Finding::Level level) {
  switch (level) {
    case Finding::Level::ok:
      return "\x1b[32m";
    case Finding::Level::warning:
      return "\x1b[33m";
    case Finding::Level::fail:
      return "\x1b[31m";
  }
  return "";
}

/// Without control characters: some texts come from other nodes, and must not steer the terminal.
std::string printable(std::string text) {
  std::replace_if(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
  return text;
}

}  // namespace

void print_table(std::ostream& output, const std::vector<Finding>& findings, std::size_t nodes, bool colours) {
  constexpr int kLevelWidth = 8;
  int check_width = 6, node_width = 0;
  for (const Finding& finding : findings) {
    check_width = std::max(check_width, static_cast<int>(finding.check.size()) + 1);
    if (nodes > 1) { node_width = std::max(node_width, static_cast<int>(finding.node.size()) + 1); }
  }
  for (const Finding& finding : findings) {
    if (colours) { output << colour_of(finding.level); }
    output << std::left << std::setw(kLevelWidth) << name_of(finding.level) << (colours ? "\x1b[0m" : "")
           << std::setw(check_width) << finding.check;
    if (node_width > 0) { output << std::setw(node_width) << printable(finding.node); }
    output << printable(finding.text) << "\n";
    if (!finding.advice.empty()) {
      output << std::string(kLevelWidth, ' ') << "-> " << printable(finding.advice) << "\n";
    }
  }
  auto count = [&](Finding::Level level) {
    return std::count_if(findings.begin(), findings.end(),
                         [level](const Finding& finding) { return finding.level == level; });
  };
  auto failures = count(Finding::Level::fail), warnings = count(Finding::Level::warning);
  output << "\n"
         << (failures > 0 ? "The job would fail: " : "Nothing speaks against the job: ") << failures << " failed, "
         << warnings << " to look at.\n";
}

nlohmann::ordered_json report_json(const JobSpec& job, const std::vector<Finding>& findings,
                                   const std::vector<NodeFacts>& nodes) {
  nlohmann::ordered_json json;
  json["would_fail"] = would_fail(findings);
  json["job"] = {{"nodes", job.nodes},         {"nproc_per_node", job.processes_here},
                 {"node_rank", job.node_rank}, {"backend", job.backend},
                 {"host", job.host},           {"port", job.port},
                 {"program", job.program}};
  json["findings"] = nlohmann::ordered_json::array();
  for (const Finding& finding : findings) {
    nlohmann::ordered_json entry;
    entry["level"] = std::string(name_of(finding.level));
    entry["check"] = finding.check;
    entry["node"] = finding.node;
    entry["text"] = finding.text;
    entry["advice"] = finding.advice;
    json["findings"].push_back(entry);
  }
  json["nodes"] = nlohmann::json(nodes);
  return json;
}

}  // namespace mdl::launcher::doctor
