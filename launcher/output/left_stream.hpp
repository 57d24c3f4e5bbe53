#pragma once

#include <string>
#include <vector>

#include "common/unique_fd.hpp"

namespace mdl::launcher::output {

/// A stream of a worker that has ended well, which a process that it left behind still holds open: all that another
/// process needs to pass on what comes there, as WorkerStream has done.
struct LeftStream {
  int local_rank = 0;
  bool whole_lines = false;  ///< these three as in StreamSinks
  bool line_by_line = false;
  std::string prefix{};
  bool after_return = false;  ///< line by line: the last byte was a '\r'
  std::string unfinished{};   ///< the beginning of a line that has not been passed on, at most 128 KiB
  std::vector<std::string> filter_words{};
  bool to_stderr = false;  ///< which of the launcher's own streams `console` is
  UniqueFd from{};         ///< the end to read from, non-blocking
  UniqueFd console{};      ///< this and the following: empty when nothing goes there
  UniqueFd file{};
  UniqueFd filter_file{};
};

/// Sends it through `socket`, which keeps messages apart (SOCK_SEQPACKET). Returns the errno of what failed, or 0. The
/// sender's descriptors stay open.
int send_left_stream(int socket, const LeftStream& stream);

/// Takes the next message from `socket`, waiting for it. Throws Error when there is none or it is something else.
LeftStream receive_left_stream(int socket);

}  // namespace mdl::launcher::output
