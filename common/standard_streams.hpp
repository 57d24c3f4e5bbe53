#pragma once

namespace mdl {

/// Opens /dev/null on those of the descriptors 0, 1 and 2 that are closed, as a daemon or `<&- >&-` hands them over.
/// The next file or socket would get their number otherwise, and what is printed would be written into it. Call first
/// thing in main(), before anything opens a file. Where even /dev/null cannot be opened (a chroot without it), a pipe
/// that nobody uses holds the place.
void open_closed_standard_streams();

/// Writes out what std::cout still holds. Throws Error where any of it was lost, as on a full disk; a reader that has
/// gone away is none.
void require_written_output();

}  // namespace mdl
