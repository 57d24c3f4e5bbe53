#pragma once

#include <cstddef>
#include <iosfwd>
#include <vector>

#include "launcher/doctor/checks.hpp"

namespace mdl::launcher::doctor {

/// One line a finding, the advice below it; failures and warnings in colour when `colours`. Ends with a line that says
/// whether the job would fail.
void print_table(std::ostream& output, const std::vector<Finding>& findings, std::size_t nodes, bool colours);

/// {"would_fail": …, "job": {…}, "findings": [{"level", "check", "node", "text", "advice"}], "nodes": [facts]}
nlohmann::ordered_json report_json(const JobSpec& job, const std::vector<Finding>& findings,
                                   const std::vector<NodeFacts>& nodes);

}  // namespace mdl::launcher::doctor
