#pragma once

#include <cstddef>
#include <limits>
#include <string>
#include <vector>

namespace mdl::launcher::status {

/// Text in columns that are as wide as what stands in them; where a line has not enough room, with the most useful
/// ones.
class TextTable {
 public:
  static constexpr int kStays = std::numeric_limits<int>::max();
  struct Column {
    std::string title{};
    bool right = false;     ///< where its text stands
    int worth = kStays;     ///< the columns of the least worth go first
    std::size_t least = 0;  ///< instead it is cut to so many columns of the terminal; 0: it goes
  };

  explicit TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}

  /// A cell for each column, "-" for nothing; `note` stands behind them or, without room, below.
  void add(std::vector<std::string> cells, std::string note = {});
  /// The titles and all rows, in lines of at most `width`, as far as the columns that stay allow. One in which nothing
  /// stands goes before all others.
  std::string text(std::size_t width) const;

 private:
  struct Row {
    std::vector<std::string> cells{};
    std::string note{};
  };

  /// Of each column, 0 for one that goes.
  std::vector<std::size_t> widths_for(std::size_t width) const;
  std::string line(const std::vector<std::string>& cells, const std::vector<std::size_t>& widths) const;

  std::vector<Column> columns_;
  std::vector<Row> rows_{};
};

}  // namespace mdl::launcher::status
