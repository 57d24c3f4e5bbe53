#include "launcher/report/root_cause.hpp"

#include <algorithm>
#include <array>
#include <ctime>
#include <nlohmann/json.hpp>

#include "common/str_cat.hpp"
#include "launcher/output/last_lines.hpp"
#include "launcher/output/printable.hpp"

namespace mdl::launcher::report {
namespace {
using nlohmann::json;

constexpr std::size_t kShortText = 256;
constexpr std::size_t kEndBytes = 1024;
constexpr const char* kNobody = "the job hung, and no rank is accused";
constexpr std::size_t kMessageBytes = 8 * 1024;
constexpr std::size_t kTracebackLines = 24;
constexpr std::size_t kLinesBesideTraceback = 8;  // so that a report stays a screen
constexpr std::size_t kPathBytes = 1024;
constexpr std::size_t kLogFiles = 2;
constexpr std::int64_t kLargestExitCode = 255;
constexpr std::size_t kNumberOfLines = std::max(kTracebackLines, output::LastLines::kLines);

/// In JSON.
struct HangWord {
  RootCause::Hang hang;
  const char* word;
};
constexpr HangWord kHangWords[] = {{RootCause::Hang::elsewhere, "elsewhere"},
                                   {RootCause::Hang::of_nobody, "of nobody"}};

std::string local_time(std::int64_t nanoseconds) {
  const std::time_t seconds = nanoseconds / 1'000'000'000;
  std::tm parts{};
  localtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &parts);
  return text.data();
}

/// The last lines, each fit for a terminal.
std::vector<std::string> last(const std::vector<std::string>& lines, std::size_t most) {
  std::vector<std::string> kept;
  for (std::size_t i = lines.size() > most ? lines.size() - most : 0; i < lines.size(); ++i) {
    kept.push_back(output::printable(lines[i], output::LastLines::kLineBytes));
  }
  return kept;
}

std::string text_at(const json& object, const char* key, std::size_t most) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? output::printable(found->get_ref<const std::string&>(), most)
                                                     : "";
}

std::int64_t number_at(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number_integer()) { return 0; }
  return std::max<std::int64_t>(0, found->get<std::int64_t>());
}

std::vector<std::string> lines_at(const json& object, const char* key) {
  std::vector<std::string> lines;
  const auto found = object.find(key);
  if (found == object.end() || !found->is_array()) { return lines; }
  for (const json& line : *found) {
    if (line.is_string()) { lines.push_back(line.get<std::string>()); }
  }
  return last(lines, kNumberOfLines);
}

/// Whether `lines` are some of the last of `all`, as what stderr ends with often is the error file's traceback.
bool ends_with_lines(const std::vector<std::string>& all, const std::vector<std::string>& lines) {
  return !lines.empty() && lines.size() <= all.size() && std::equal(lines.rbegin(), lines.rend(), all.rbegin());
}

void append_quoted(std::string& out, const std::vector<std::string>& lines) {
  for (const std::string& line : lines) { out += str_cat("    | ", line, "\n"); }
}

}  // namespace

std::string in_a_line(const RootCause& cause) {
  const std::string who = cause.hang == RootCause::Hang::of_nobody ? std::string(kNobody)
                                                                   : str_cat("rank ", cause.rank, " on ", cause.host);
  return output::printable(str_cat(who, ", ", cause.end));
}

bool came_before(const RootCause& a, const RootCause& b) {
  return a.failed_s < b.failed_s;
}

std::string to_json(const RootCause& cause) {
  json object = {{"host", output::printable(cause.host, kShortText)},
                 {"rank", cause.hang == RootCause::Hang::of_nobody ? json() : json(cause.rank)},
                 {"local_rank", cause.local_rank},
                 {"pid", cause.pid},
                 {"end", output::printable(cause.end, kEndBytes)},
                 {"hint", output::printable(cause.hint, kShortText)},
                 {"ended_ns", cause.ended_ns},
                 {"failed_s", cause.failed_s},
                 {"message", output::printable(cause.message, kMessageBytes)},
                 {"traceback", last(cause.traceback, kTracebackLines)},
                 {"stderr", last(cause.stderr_lines, output::LastLines::kLines)},
                 {"error_file", output::printable(cause.error_file, kPathBytes)},
                 {"log_files", last(cause.log_files, kLogFiles)}};
  if (cause.exit_code != kExitFailure) { object["exit_code"] = cause.exit_code; }
  for (const HangWord& each : kHangWords) {
    if (each.hang == cause.hang) { object["hang"] = each.word; }
  }
  return object.dump();
}

std::optional<RootCause> root_cause_from_json(std::string_view text) {
  if (text.size() > kLargestRootCause) { return std::nullopt; }
  const json object = json::parse(text, nullptr, false);
  if (!object.is_object() || !object.contains("rank") || !object.contains("end")) { return std::nullopt; }
  RootCause cause;
  cause.host = text_at(object, "host", kShortText);
  cause.rank = number_at(object, "rank");
  cause.local_rank = number_at(object, "local_rank");
  cause.pid = number_at(object, "pid");
  cause.end = text_at(object, "end", kEndBytes);
  cause.hint = text_at(object, "hint", kShortText);
  cause.ended_ns = number_at(object, "ended_ns");
  cause.failed_s = number_at(object, "failed_s");
  cause.message = text_at(object, "message", kMessageBytes);
  cause.traceback = lines_at(object, "traceback");
  cause.stderr_lines = lines_at(object, "stderr");
  cause.error_file = text_at(object, "error_file", kPathBytes);
  cause.log_files = last(lines_at(object, "log_files"), kLogFiles);
  const std::int64_t exit_code = number_at(object, "exit_code");
  if (exit_code > 0 && exit_code <= kLargestExitCode) { cause.exit_code = static_cast<int>(exit_code); }
  for (const HangWord& each : kHangWords) {
    if (text_at(object, "hang", kShortText) == each.word) { cause.hang = each.hang; }
  }
  return cause;
}

std::string format_root_cause(const RootCause& cause) {
  std::string out = "Root cause: ";
  if (cause.hang == RootCause::Hang::of_nobody) {
    out += kNobody;
  } else {
    out += str_cat("rank ", cause.rank, " (local rank ", cause.local_rank);
    if (cause.pid > 0) { out += str_cat(", pid ", cause.pid); }
    out += str_cat(") on ", output::printable(cause.host));
  }
  out += str_cat(", ", output::printable(cause.end), ", at ", local_time(cause.ended_ns), "\n");
  if (cause.hang == RootCause::Hang::elsewhere) {
    out += str_cat("  Its output is on ", output::printable(cause.host), ".\n");
  }
  if (cause.hang != RootCause::Hang::none) { return out; }
  if (!cause.hint.empty()) { out += str_cat("  ", output::printable(cause.hint), "\n"); }
  if (!cause.message.empty()) {
    out += str_cat("  Its error file says: ", output::printable(cause.message), "\n");
    append_quoted(out, last(cause.traceback, kTracebackLines));
  }
  if (!cause.error_file.empty()) { out += str_cat("  error_file: ", output::printable(cause.error_file), "\n"); }
  for (const std::string& file : cause.log_files) { out += str_cat("  log file: ", output::printable(file), "\n"); }
  if (ends_with_lines(cause.traceback, cause.stderr_lines)) { return out; }
  if (cause.stderr_lines.empty()) { return out + "  It wrote nothing to stderr.\n"; }
  out += "  Its last lines on stderr:\n";
  append_quoted(out,
                last(cause.stderr_lines, cause.traceback.empty() ? output::LastLines::kLines : kLinesBesideTraceback));
  return out;
}

}  // namespace mdl::launcher::report
