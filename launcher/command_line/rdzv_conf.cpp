#include "launcher/command_line/rdzv_conf.hpp"

#include <algorithm>

#include "common/error.hpp"
#include "common/join.hpp"
#include "common/nearest_name.hpp"
#include "common/str_cat.hpp"
#include "common/trimmed.hpp"

namespace mdl::launcher::command_line {
namespace {

const std::vector<std::string>& known_keys() {
  static const std::vector<std::string> keys = {"backend",
                                                "cas_backoff_max_seconds",
                                                "close_timeout",
                                                "heartbeat_timeout",
                                                "is_host",
                                                "join_timeout",
                                                "keep_alive_interval",
                                                "keep_alive_max_attempt",
                                                "last_call_timeout",
                                                "listen",
                                                "plain_clients",
                                                "rank",
                                                "read_timeout",
                                                "secret_file",
                                                "store_type",
                                                "timeout"};
  return keys;
}

bool is_known(const std::string& key) {
  return std::find(known_keys().begin(), known_keys().end(), key) != known_keys().end();
}

std::string list_of_keys() {
  return str_cat("It may have: ", joined(known_keys()), ".");
}

std::string without_quotes(const std::string& text) {
  const bool quoted = text.size() > 1 && text.front() == text.back() && (text.front() == '\'' || text.front() == '"');
  return quoted ? trimmed(text.substr(1, text.size() - 2)) : text;
}

}  // namespace

RdzvConf parse_rdzv_conf(const std::string& original) {
  const std::string text = without_quotes(trimmed(original));
  RdzvConf conf;
  for (std::size_t begin = 0; !text.empty() && begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string item = text.substr(begin, end - begin);
    const std::size_t equals = item.find('=');
    const std::string key = trimmed(item.substr(0, equals));
    const std::string value = equals == std::string::npos ? "" : trimmed(item.substr(equals + 1));
    if (key.empty() || value.empty()) {
      throw UsageError(str_cat("--rdzv-conf: \"", item, "\" is not KEY=VALUE"),
                       "Write it as in join_timeout=600,read_timeout=60.");
    }
    if (!is_known(key)) {
      if (const auto nearest = nearest_name(key, known_keys())) {
        throw UsageError(str_cat("--rdzv-conf does not know \"", key, "\""),
                         str_cat("Did you mean ", *nearest, "? ", list_of_keys()));
      }
    }
    conf[key] = value;
    begin = end + 1;
  }
  return conf;
}

std::vector<std::string> warnings_of(const RdzvConf& conf) {
  std::vector<std::string> warnings;
  for (const auto& [key, value] : conf) {
    if (is_known(key)) { continue; }
    warnings.push_back(
        str_cat("--rdzv-conf does not know \"", key, "\": ", key, "=", value, " has no effect. ", list_of_keys()));
  }
  return warnings;
}

}  // namespace mdl::launcher::command_line
