#include "launcher/error_file.hpp"

#include <charconv>
#include <nlohmann/json.hpp>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/log.hpp"

namespace mdl::launcher {
namespace {
using nlohmann::json;

constexpr std::uintmax_t kLargest = 4 << 20;  // a traceback has some KiB; more is not for a report

std::string text_at(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::int64_t seconds_at(const json& object) {
  const auto found = object.find("timestamp");
  if (found == object.end()) return 0;
  if (found->is_number()) return found->get<std::int64_t>();
  std::int64_t seconds = 0;
  if (found->is_string()) {
    const std::string text = found->get<std::string>();
    std::from_chars(text.data(), text.data() + text.size(), seconds);
  }
  return seconds;
}

}  // namespace

std::optional<WorkerError> parse_error(const std::string& text) {
  const json root = json::parse(text, nullptr, false);
  if (!root.is_object() || !root.contains("message")) return std::nullopt;
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

std::optional<WorkerError> read_error_file(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return std::nullopt;
  if (std::filesystem::file_size(path, error) > kLargest) {
    log::warning("the error file ", path.string(), " is too large to read");
    return std::nullopt;
  }
  try {
    if (auto parsed = parse_error(read_text(path))) return parsed;
    log::warning("the error file ", path.string(), " is not the JSON that torch.distributed.elastic writes");
  } catch (const Error& unreadable) {
    log::warning(unreadable.what());
  }
  return std::nullopt;
}

void pass_on_error_file(const std::filesystem::path& from, const std::filesystem::path& to, int exit_code) {
  try {
    json root = json::parse(read_text(from), nullptr, false);
    if (!root.is_object()) return;
    if (root.contains("message") && root["message"].is_object()) root["message"]["errorCode"] = exit_code;
    write_text_atomically(to, root.dump());
  } catch (const std::exception& error) {
    log::warning("cannot pass the worker's error file on: ", error.what());
  }
}

}  // namespace mdl::launcher
