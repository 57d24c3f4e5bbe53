#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace mdl::launcher::output {

/// The last lines of a stream, in bounded memory: at most `kLines` lines, of each at most `kLineBytes` bytes. Of a line
/// that a progress bar has drawn over with '\r', the last drawing is kept.
class LastLines {
 public:
  static constexpr std::size_t kLines = 24;        ///< what fits on a terminal's screen beside the rest of the report
  static constexpr std::size_t kLineBytes = 1024;  ///< longer lines are dumps of data, their beginning is enough

  void feed(std::string_view bytes);
  /// Oldest first; an unfinished last line is included, empty lines at the end are not.
  std::vector<std::string> lines() const;

 private:
  void end_line();

  std::deque<std::string> complete_;
  std::string current_;
  bool redraw_ = false;  ///< a '\r' came: the next byte other than '\n' starts the line anew
};

}  // namespace mdl::launcher::output
