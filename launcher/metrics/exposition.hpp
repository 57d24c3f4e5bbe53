#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mdl::launcher::metrics {

/// Names and values of labels. A value may be any UTF-8.
using Labels = std::vector<std::pair<std::string_view, std::string>>;

/// As a sample has them, without the braces: job_id="a",rank="3"; backslashes, quotation marks and line ends escaped.
std::string to_text(const Labels& labels);

/// Writes metrics in Prometheus' text format, version 0.0.4. Of each family all samples, one after the other.
class Exposition {
 public:
  /// Content-Type of the whole.
  static constexpr const char* kType = "text/plain; version=0.0.4; charset=utf-8";

  /// A new family. `type` is "gauge" or "counter"; `help` is one sentence of ASCII. It is left out if it gets no
  /// sample.
  void family(std::string_view name, std::string_view type, std::string_view help);
  /// A sample of it; `labels` as of to_text(). NaN and infinities are values like others.
  void sample(std::string_view labels, double value);

  std::string take() { return std::move(text_); }

 private:
  std::string text_{};
  std::string name_{};
  std::string pending_head_{};
};

}  // namespace mdl::launcher::metrics
