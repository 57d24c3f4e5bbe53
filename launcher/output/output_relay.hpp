#pragma once

#include <vector>

#include "launcher/output/left_stream.hpp"

namespace mdl::launcher::output {

/// Passes on what comes through `streams`, to where each goes, until all of them have ended: what the launcher did, for
/// as long as processes live that the workers left behind. A stream whose reader has gone is closed, as the launcher
/// does it. The launcher's own stdout and stderr are each held open only as long as a stream goes there, so that
/// whoever reads them to their end waits for these processes alone.
void relay_output(std::vector<LeftStream> streams);

}  // namespace mdl::launcher::output
