#pragma once

#include <iosfwd>
#include <vector>

#include "launcher/accelerate/doctor_checks.hpp"

namespace mdl::accelerate {

/// One line a finding, the advice below it; failures and warnings in colour when `colours`. Ends with a line that says
/// whether the job would fail.
void print_table(std::ostream& output, const std::vector<Finding>& findings, size_t nodes, bool colours);

/// {"would_fail": …, "job": {…}, "findings": [{"level", "check", "node", "text", "advice"}], "nodes": [facts]}
nlohmann::ordered_json report_json(const JobQuestion& job, const std::vector<Finding>& findings,
                                   const std::vector<NodeFacts>& nodes);

}  // namespace mdl::accelerate
