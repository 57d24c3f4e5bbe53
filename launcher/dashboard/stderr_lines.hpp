#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mdl::launcher::dashboard {

/// Somebody wants the last lines of a worker's stderr.
struct LinesRequest {
  std::string asker{};  ///< under which the answer is to be put: a few hexadecimal digits
  std::int64_t number = 0;
  std::int64_t rank = 0;

  bool operator==(const LinesRequest&) const = default;
};

struct LinesAnswer {
  std::int64_t number = 0;  ///< of the request
  std::vector<std::string> lines{};

  bool operator==(const LinesAnswer&) const = default;
};

/// For the store: JSON. Lines are made printable, and of them the last LastLines::kLines remain, of each at most
/// LastLines::kLineBytes.
std::string to_text(const LinesRequest& request);
std::string to_text(const LinesAnswer& answer);
/// What a stranger may have written: printable and within the same limits, or nullopt.
std::optional<LinesRequest> lines_request_from_text(std::string_view text);
std::optional<LinesAnswer> lines_answer_from_text(std::string_view text);

}  // namespace mdl::launcher::dashboard
