#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace mdl::launcher::status {

/// Texts on stdout, one after the other, of which each takes the place of the last one where stdout is a terminal: cut
/// at its right edge and at its lower one, as what leaves the screen cannot be drawn over. Elsewhere, and of what is
/// for programs, each stands below the one before.
class StatusScreen {
 public:
  explicit StatusScreen(bool for_programs = false);
  /// So many columns a line may have that is not cut.
  std::size_t columns() const;
  /// `text` ends in '\n'. False when it cannot be written.
  bool draw(const std::string& text);
  /// Below what was drawn, to stay. False when it cannot be written.
  bool add(const std::string& text);

 private:
  bool in_place_;
  std::size_t lines_drawn_ = 0;
};

/// `text` in at most so many rows and columns of a terminal; the last row says how many lines are left out.
std::string fit_screen(std::string_view text, std::size_t rows, std::size_t columns);

}  // namespace mdl::launcher::status
