#include "launcher/report/error_file.hpp"

#include <charconv>
#include <nlohmann/json.hpp>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/json_nesting.hpp"
#include "common/log.hpp"

namespace mdl::launcher::report {
namespace {
using nlohmann::json;

constexpr std::uintmax_t kLargest = 4 << 20;  // a traceback has some KiB; more is not for a report
constexpr double kLargestTime = 1e15;         // seconds, 30 million years

/// The JSON object of an error file; discarded, when the text is none or nests so deep that it is no error file.
json parse_file(const std::string& text) {
  if (json_nesting(text) > kMaxJsonNesting) { return {json::value_t::discarded}; }
  return json::parse(text, nullptr, false);
}

std::string text_at(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::int64_t seconds_at(const json& object) {
  const auto found = object.find("timestamp");
  if (found == object.end()) { return 0; }
  if (found->is_number_integer()) { return found->get<std::int64_t>(); }
  if (found->is_number_float()) {
    const double value = found->get<double>();  // any double, of which most are no time
    return value > 0 && value < kLargestTime ? static_cast<std::int64_t>(value) : 0;
  }
  std::int64_t seconds = 0;
  if (found->is_string()) {
    const std::string text = found->get<std::string>();
    std::from_chars(text.data(), text.data() + text.size(), seconds);
  }
  return seconds;
}

}  // namespace

std::optional<WorkerError> parse_error(const std::string& text) {
  const json root = parse_file(text);
  if (!root.is_object() || !root.contains("message")) { return std::nullopt; }
  const json& message = root["message"];
  WorkerError error;
  if (message.is_string()) {
    error.message = message.get<std::string>();
    error.seconds = seconds_at(root);
  } else if (message.is_object()) {
    error.message = text_at(message, "message");
    const auto extra = message.find("extraInfo");
    if (extra != message.end() && extra->is_object()) {
      error.traceback = text_at(*extra, "py_callstack");
      error.seconds = seconds_at(*extra);
    }
  } else {
    return std::nullopt;
  }
  return error;
}

std::optional<std::string> with_exit_code(const std::string& text, int exit_code) {
  json root = parse_file(text);
  if (!root.is_object()) { return std::nullopt; }
  if (root.contains("message") && root["message"].is_object()) { root["message"]["errorCode"] = exit_code; }
  return root.dump();
}

std::optional<WorkerError> read_error_file(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) { return std::nullopt; }
  if (std::filesystem::file_size(path, error) > kLargest) {
    log::warning("the error file ", path.string(), " is too large to read");
    return std::nullopt;
  }
  try {
    if (auto parsed = parse_error(read_text(path))) { return parsed; }
    log::warning("the error file ", path.string(), " is not the JSON that torch.distributed.elastic writes");
  } catch (const Error& unreadable) { log::warning(unreadable.what()); }
  return std::nullopt;
}

void pass_on_error_file(const std::filesystem::path& from, const std::filesystem::path& to, int exit_code) {
  try {
    if (std::filesystem::file_size(from) > kLargest) {
      return;  // read_error_file has said so
    }
    if (const auto changed = with_exit_code(read_text(from), exit_code)) { write_text_atomically(to, *changed); }
  } catch (const std::exception& error) { log::warning("cannot pass the worker's error file on: ", error.what()); }
}

}  // namespace mdl::launcher::report
