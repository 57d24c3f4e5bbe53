#include "launcher/dashboard/stderr_lines.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "launcher/output/last_lines.hpp"
#include "launcher/output/printable.hpp"

namespace mdl::launcher::dashboard {
namespace {
using nlohmann::json;
using output::LastLines;

constexpr int kLinesVersion = 1;
constexpr std::size_t kLargestRequest = 256;
constexpr std::size_t kLargestAnswer = 4 * LastLines::kLines * LastLines::kLineBytes;  // quotes take room
constexpr std::size_t kLongestAsker = 32;
constexpr std::int64_t kLargestRank = 1'000'000'000;
constexpr std::int64_t kLargestRequestNumber = std::int64_t{1} << 53;

bool is_asker(const json& value) {
  if (!value.is_string()) { return false; }
  const auto& text = value.get_ref<const std::string&>();
  return !text.empty() && text.size() <= kLongestAsker &&
         text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

bool is_between(const json& value, std::int64_t most) {
  return value.is_number_unsigned() && value.get<std::uint64_t>() <= static_cast<std::uint64_t>(most);
}

std::vector<std::string> shown_lines(const std::vector<std::string>& lines) {
  std::vector<std::string> shown;
  for (std::size_t i = lines.size() - std::min(lines.size(), LastLines::kLines); i < lines.size(); ++i) {
    shown.push_back(output::printable(lines[i], LastLines::kLineBytes));
  }
  return shown;
}

std::string dumped(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

std::string to_text(const LinesRequest& request) {
  json array = json::array();
  array.push_back(kLinesVersion);
  array.push_back(request.asker);
  array.push_back(request.number);
  array.push_back(request.rank);
  return dumped(array);
}

std::string to_text(const LinesAnswer& answer) {
  json array = json::array();
  array.push_back(kLinesVersion);
  array.push_back(answer.number);
  array.push_back(shown_lines(answer.lines));
  return dumped(array);
}

std::optional<LinesRequest> lines_request_from_text(std::string_view text) {
  if (text.size() > kLargestRequest) { return std::nullopt; }
  const json array = json::parse(text, nullptr, false);
  if (!array.is_array() || array.size() < 4 || array[0] != kLinesVersion || !is_asker(array[1]) ||
      !is_between(array[2], kLargestRequestNumber) || !is_between(array[3], kLargestRank)) {
    return std::nullopt;
  }
  LinesRequest request;
  request.asker = array[1].get<std::string>();
  request.number = array[2].get<std::int64_t>();
  request.rank = array[3].get<std::int64_t>();
  return request;
}

std::optional<LinesAnswer> lines_answer_from_text(std::string_view text) {
  if (text.size() > kLargestAnswer) { return std::nullopt; }
  const json array = json::parse(text, nullptr, false);
  if (!array.is_array() || array.size() < 3 || array[0] != kLinesVersion ||
      !is_between(array[1], kLargestRequestNumber) || !array[2].is_array()) {
    return std::nullopt;
  }
  LinesAnswer answer;
  answer.number = array[1].get<std::int64_t>();
  std::vector<std::string> lines;
  for (const json& line : array[2]) {
    if (!line.is_string()) { return std::nullopt; }
    lines.push_back(line.get<std::string>());
  }
  answer.lines = shown_lines(lines);
  return answer;
}

}  // namespace mdl::launcher::dashboard
