#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "worker/reports/page/run_history.hpp"

namespace mdl::worker::reports::page {

/// What a page says of itself.
struct PageState {
  enum class Run { unknown, running, finished, stopped };
  Run run = Run::unknown;  ///< a page of a running one has itself loaded again every minute
  std::int64_t time = 0;   ///< when it is written, seconds since 1970
};

/// One file with nothing outside it and no script: charts as SVG and tables, of one run, or of several in one picture.
/// Its size has a bound, however long the runs are: 2 MB for one run with the metrics of a usual training. All names
/// are escaped.
std::string page_html(const std::vector<RunHistory>& runs, const PageState& state);

}  // namespace mdl::worker::reports::page
