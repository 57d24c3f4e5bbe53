#pragma once

#include <string>
#include <vector>

#include "worker/reports/page/run_history.hpp"

namespace mdl::worker::reports::page {

/// A run's numbers of most interest: loss, best evaluation, speed, memory, time. As far as they are known.
std::string run_tiles(const RunHistory& run);

/// Its tables, and how its processes began where that was more than once.
std::string run_tables(const RunHistory& run);

/// A row for each run, with the colour of its lines.
std::string runs_table(const std::vector<RunHistory>& runs);

}  // namespace mdl::worker::reports::page
