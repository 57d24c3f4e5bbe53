#include "worker/convert/partial_folder.hpp"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <sstream>

#include "common/atomic_file.hpp"
#include "common/atomic_folder.hpp"
#include "common/error.hpp"
#include "common/str_cat.hpp"

namespace mdl {
namespace fs = std::filesystem;
namespace {

constexpr const char* kPlanFile = "plan";

/// The folder without a slash at its end, which would make its "name" empty.
fs::path trimmed(fs::path path) {
  path = path.lexically_normal();
  return path.has_filename() ? path : path.parent_path();
}

fs::path beside(const fs::path& target, const char* ending) {
  return target.string() + ending;
}

PartialFolder::Plan read_plan(const fs::path& file) {
  PartialFolder::Plan plan;
  if (!fs::exists(file)) return plan;
  std::istringstream lines(read_text(file));
  for (std::string name, fingerprint; lines >> name >> fingerprint;) plan[name] = fingerprint;
  return plan;
}

}  // namespace

void PartialFolder::check_target(const fs::path& target) {
  if (!fs::exists(target)) return;
  if (!fs::is_directory(target))
    throw UsageError(str_cat(target.string(), " is a file"), "Give --output the name of a folder.");
  if (!fs::is_empty(target) && !fs::exists(target / "state.json")) {
    throw UsageError(str_cat(target.string(), " holds something else than a dataset"),
                     "Give --output a new folder, or a dataset folder to replace.");
  }
}

PartialFolder::PartialFolder(const fs::path& target, const Plan& plan)
    : target_(trimmed(target)), folder_(beside(target_, ".partial")) {
  std::error_code error;
  fs::create_directories(folder_, error);
  if (error) throw Error(str_cat("cannot make the folder ", folder_.string(), ": ", error.message()));
  lock_.reset(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!lock_) throw Error(describe_errno("cannot open", folder_, errno));
  if (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    throw Error(str_cat("another process is writing to ", folder_.string()), "Wait for it, or give another --output.");
  }
  for (const auto& entry : fs::directory_iterator(folder_)) {
    // Only what an earlier run has made: nobody else's files are removed.
    const std::string name = entry.path().filename().string();
    const auto begins = [&](const char* known) { return name.starts_with(known); };
    if (!begins("data-") && !begins(kPlanFile) && !begins("state.json") && !begins("dataset_info.json")) {
      throw Error(str_cat(folder_.string(), " holds \"", name, "\", which is not of a conversion"),
                  "Move it away, or give another --output.");
    }
  }
  const Plan before = read_plan(folder_ / kPlanFile);
  for (const auto& entry : fs::directory_iterator(folder_)) {
    const std::string name = entry.path().filename().string();
    const auto planned = plan.find(name), made = before.find(name);
    const bool same = planned != plan.end() && made != before.end() && planned->second == made->second;
    if (!same && name != kPlanFile) fs::remove(entry.path());
  }
  std::string text;
  for (const auto& [name, fingerprint] : plan) text += str_cat(name, ' ', fingerprint, '\n');
  write_text_atomically(folder_ / kPlanFile, text);
}

void PartialFolder::require_space(std::int64_t bytes) const {
  std::error_code error;
  const auto space = fs::space(folder_, error);
  if (error || space.available >= static_cast<std::uintmax_t>(bytes)) return;
  throw Error(str_cat("the dataset needs ", bytes / 1'000'000, " MB more in ", folder_.string(), ", but only ",
                      space.available / 1'000'000, " MB are free"),
              "Make room, or use --audio-encoding pcm16, which takes half.");
}

void PartialFolder::publish() {
  fs::remove(folder_ / kPlanFile);
  publish_folder(folder_, target_);
}

}  // namespace mdl
