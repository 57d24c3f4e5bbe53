#include "worker/convert/partial_folder.hpp"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <optional>
#include <sstream>

#include "common/atomic_file.hpp"
#include "common/atomic_folder.hpp"
#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/hub/node/disk_space.hpp"

namespace mdl::worker::convert {
namespace fs = std::filesystem;
namespace {

constexpr const char* kPartial = ".partial";
constexpr const char* kPlanFile = "plan";
constexpr const char* kPublishedPlan = ".plan";  // what the plan is called once publish() has begun
constexpr const char* kState = "state.json";     // without it a folder is no dataset

/// Whether a file of this name is a dataset's: ours, or what Hugging Face's datasets keeps beside it.
bool is_of_dataset(const fs::path& name) {
  return name == kState || name == "dataset_info.json" || name == kPublishedPlan || name.extension() == ".arrow";
}

/// The first name in a folder that keeps a dataset from being put there, or none. Without state.json that is any, but
/// for what publish() has moved when it was killed.
std::optional<std::string> stranger_in(const FolderPlace& place) {
  const bool replaceable =
      fs::exists(place.target / kState) || fs::exists(place.beside_or_inside(kPartial) / kPublishedPlan);
  for (const auto& entry : fs::directory_iterator(place.target)) {
    const fs::path name = entry.path().filename();
    const bool is_ours = name == kPartial || name.string().starts_with(kFolderTrial);
    if (is_ours || name == "lost+found") {
      continue;  // the root of a disk has the latter
    }
    if (!replaceable || !is_of_dataset(name)) { return name.string(); }
  }
  return std::nullopt;
}

PartialFolder::Plan read_plan(const fs::path& file) {
  PartialFolder::Plan plan;
  if (!fs::exists(file)) { return plan; }
  std::istringstream lines(read_text(file));
  for (std::string name, fingerprint; lines >> name >> fingerprint;) { plan[name] = fingerprint; }
  return plan;
}

}  // namespace

FolderPlace PartialFolder::place_for(const fs::path& target) {
  FolderPlace place = find_folder_place(target);
  if (!fs::exists(place.target)) { return place; }
  if (!fs::is_directory(place.target)) {
    throw UsageError(str_cat(target.string(), " is a file"), "Give --output the name of a folder.");
  }
  place.inside = place.inside || fs::exists(place.target / kPartial);  // an earlier run found it to be so
  if (const auto stranger = stranger_in(place)) {
    throw UsageError(str_cat(target.string(), " holds something else than a dataset: ", *stranger),
                     "Give --output a new folder, or a dataset folder to replace.");
  }
  return place;
}

PartialFolder::PartialFolder(const FolderPlace& place, const Plan& plan)
    : target_(place.target), folder_(place.beside_or_inside(kPartial)) {
  std::error_code error;
  fs::create_directories(folder_, error);
  if (error) { throw Error(str_cat("cannot make the folder ", folder_.string(), ": ", error.message())); }
  lock_.reset(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!lock_) { throw Error(describe_errno("cannot open", folder_, errno)); }
  if (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    throw Error(str_cat("another process is writing to ", folder_.string()), "Wait for it, or give another --output.");
  }
  for (const auto& entry : fs::directory_iterator(folder_)) {
    // Only what an earlier run has made: nobody else's files are removed.
    const std::string name = entry.path().filename().string();
    const auto begins = [&](const char* known) { return name.starts_with(known); };
    if (!begins("data-") && !begins(kPlanFile) && !begins(kPublishedPlan) && !begins(kState) &&
        !begins("dataset_info.json")) {
      throw Error(str_cat(folder_.string(), " holds \"", name, "\", which is not of a conversion"),
                  "Move it away, or give another --output.");
    }
  }
  take_back();
  const Plan before = read_plan(folder_ / kPlanFile);
  for (const auto& entry : fs::directory_iterator(folder_)) {
    const std::string name = entry.path().filename().string();
    const auto planned = plan.find(name), made = before.find(name);
    const bool same = planned != plan.end() && made != before.end() && planned->second == made->second;
    if (!same && name != kPlanFile) { fs::remove(entry.path()); }
  }
  std::string text;
  for (const auto& [name, fingerprint] : plan) { text += str_cat(name, ' ', fingerprint, '\n'); }
  write_text_atomically(folder_ / kPlanFile, text);
}

void PartialFolder::require_space(std::int64_t bytes) const {
  hub::node::require_free_space(folder_, bytes, "the dataset",
                                "Make room, or use --audio-encoding pcm16, which takes half.");
}

void PartialFolder::take_back() {
  const fs::path published = folder_ / kPublishedPlan;
  if (!fs::exists(published)) { return; }
  if (!fs::exists(target_ / kState)) {  // else a whole dataset is there: the older one still, or all were moved
    for (const auto& [name, fingerprint] : read_plan(published)) {
      if (!fs::exists(folder_ / name) && fs::exists(target_ / name)) { fs::rename(target_ / name, folder_ / name); }
    }
  }
  fs::rename(published, folder_ / kPlanFile);
}

void PartialFolder::publish() {
  const auto fail = [&](const std::string& why) {
    throw Error(
        str_cat("all data files are in ", folder_.string(), ", but cannot be moved to ", target_.string(), ": ", why),
        "Correct that and run the same command again: it goes on from there.");
  };
  try {
    fs::rename(folder_ / kPlanFile, folder_ / kPublishedPlan);
    publish_folder(folder_, target_, {.last = kState, .never = kPublishedPlan});
    fs::remove(target_ / kPublishedPlan);
  } catch (const fs::filesystem_error& error) { fail(error.code().message()); } catch (const Error& error) {
    fail(error.problem());
  }
}

}  // namespace mdl::worker::convert
