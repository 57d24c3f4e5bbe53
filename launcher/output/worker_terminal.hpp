#pragma once

#include "common/unique_fd.hpp"

namespace mdl::launcher::output {

/// The two ends of one worker stream: the worker writes into `write_end`, the launcher reads `read_end` (non-blocking).
struct WorkerPipe {
  UniqueFd read_end;
  UniqueFd write_end;
};

/// A stream for a worker whose output goes to `destination_fd` of the launcher: a pseudo-terminal of the same size and
/// in raw mode (bytes pass unchanged) when that is a terminal, so that isatty(), colours and progress bars are as
/// without the launcher between them; else a pipe. Throws Error when none can be had.
WorkerPipe make_worker_pipe(int destination_fd);

/// Gives the terminal behind `read_end`, if it is one, the size of the launcher's terminal `terminal_fd`.
void copy_terminal_size(int terminal_fd, int read_end);

}  // namespace mdl::launcher::output
