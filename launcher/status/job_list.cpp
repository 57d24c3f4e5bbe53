#include "launcher/status/job_list.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/command/shell_words.hpp"
#include "common/log.hpp"
#include "common/str_cat.hpp"
#include "launcher/output/printable.hpp"

namespace mdl::launcher::status {
namespace {
using nlohmann::json;

constexpr std::size_t kLongestListed = 256;

std::string listed(const std::string& text) {
  return output::printable(text, kLongestListed);
}

/// So that it can be pasted.
std::string name_of(const SignedJob& job) {
  return command::shell_quoted(listed(job.run_id));
}

}  // namespace

std::string format_jobs(const std::vector<SignedJob>& jobs) {
  std::size_t widest = 0;
  for (const SignedJob& job : jobs) { widest = std::max(widest, log::columns_of(name_of(job))); }
  std::string text = str_cat(jobs.size(), " jobs of yours run on this machine:\n");
  for (const SignedJob& job : jobs) {
    std::string name = name_of(job);
    name.append(widest - log::columns_of(name), ' ');
    text += str_cat("  --rdzv-id ", name, "  --rdzv-endpoint ", listed(to_string(job.store)), "  (",
                    job.script.empty() ? "" : listed(job.script) + ", ", "pid ", job.pid, ")\n");
  }
  return text;
}

std::string jobs_to_json(const std::vector<SignedJob>& jobs) {
  json array = json::array();
  for (const SignedJob& job : jobs) {
    json object = {{"job", listed(job.run_id)}, {"endpoint", listed(to_string(job.store))}, {"pid", job.pid}};
    object["script"] = job.script.empty() ? json() : json(listed(job.script));
    array.push_back(std::move(object));
  }
  const json object = {{"jobs", std::move(array)}};
  return object.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace mdl::launcher::status
