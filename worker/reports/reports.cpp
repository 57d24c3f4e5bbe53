#include "worker/reports/reports.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <ctime>

#include "common/error.hpp"
#include "common/host.hpp"
#include "common/str_cat.hpp"
#include "worker/reports/event_file.hpp"

namespace mdl::worker::reports {
namespace {

namespace fs = std::filesystem;

/// RUNS/Nov24_08-15-02_HOST, where the Trainer puts the event files of a run.
fs::path event_folder(const fs::path& output) {
  const char* const wanted = std::getenv("TENSORBOARD_LOGGING_DIR");
  if (wanted && *wanted) {
    const char* const home = std::getenv("HOME");
    return std::string_view(wanted).substr(0, 2) == "~/" && home ? fs::path(home) / (wanted + 2) : fs::path(wanted);
  }
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  ::localtime_r(&now, &local);
  std::array<char, 32> date{};
  std::strftime(date.data(), date.size(), "%b%d_%H-%M-%S", &local);
  return output / "runs" / str_cat(date.data(), "_", host_name());
}

}  // namespace

std::string tensorboard_tag(const std::string& metric) {
  constexpr std::string_view kEval = "eval_";
  return metric.compare(0, kEval.size(), kEval) == 0 ? str_cat("eval/", metric.substr(kEval.size()))
                                                     : str_cat("train/", metric);
}

Reports::Reports(const std::set<ReportKind>& kinds, const fs::path& output, const std::string& settings,
                 const nlohmann::json& history) {
  if (kinds.count(ReportKind::tensorboard)) {
    events_ = std::make_unique<EventFile>(event_folder(output));
    events_->text("args/text_summary", settings, 0);
  }
  if (kinds.count(ReportKind::json)) {
    fs::create_directories(output);
    lines_path_ = output / "log.jsonl";
    lines_.emplace(::open(lines_path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666));
    if (!*lines_) { throw Error(describe_errno("cannot create", lines_path_, errno)); }
    for (const auto& entry : history) { write_line(entry); }
  }
}

Reports::~Reports() = default;

void Reports::log(const Metrics& metrics, int64_t step) {
  if (events_) {
    for (const auto& [name, value] : metrics) { events_->scalar(tensorboard_tag(name), value, step); }
    events_->flush();
  }
  if (lines_) {
    nlohmann::json entry;
    for (const auto& [name, value] : metrics) { entry[name] = value; }
    entry["step"] = step;
    write_line(entry);
  }
}

void Reports::write_line(const nlohmann::json& entry) {
  const std::string line = entry.dump() + "\n";
  const ssize_t written = ::write(lines_->get(), line.data(), line.size());
  if (written != static_cast<ssize_t>(line.size())) {
    throw Error(describe_errno("cannot write", lines_path_, written < 0 ? errno : ENOSPC));
  }
}

}  // namespace mdl::worker::reports
