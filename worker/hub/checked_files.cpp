#include "worker/hub/checked_files.hpp"

#include <optional>

#include "common/join.hpp"
#include "common/log.hpp"
#include "common/str_cat.hpp"
#include "worker/cli/progress_bar.hpp"
#include "worker/cli/size_text.hpp"
#include "worker/hub/cache_files.hpp"

namespace mdl::worker::hub {

void CheckedFiles::look_at(const std::vector<ListedFile>& files) {
  cli::BarScale scale{.what = "Checking", .unit = "bytes"};
  for (const ListedFile& file : files) { scale.total += file.size; }
  std::optional<cli::ProgressBar> bar;
  if (hub_.shows_progress()) { bar.emplace(scale); }
  const auto found = hub_.cache().find(model_, Parts::all);
  const bool is_listed =
      !found.folder.empty() && !found.read_only && (found.commit.empty() || found.commit == listing_.commit);
  for (const ListedFile& file : files) {
    if (hub_.cache().has_right(model_, listing_, file)) {
      ++right_;
      right_bytes_ += file.size;
    } else if ((is_listed && is_there(found.folder / file.path)) || hub_.cache().find_file(model_, listing_, file)) {
      wrong_.insert(file.path);
    } else {
      missing_.insert(file.path);
    }
    if (bar) { bar->add(file.size); }
  }
}

void CheckedFiles::tell() const {
  const std::size_t there = right_ + wrong_.size();
  if (there == 0) { return; }
  const auto named = [](const std::set<std::string>& paths) { return str_cat(" (", joined(paths), ")"); };
  const std::string missing = missing_.empty() ? "" : str_cat("; ", missing_.size(), " missing", named(missing_));
  if (wrong_.empty()) {
    log::news(model_.text(), ": ", there, " files (", cli::size_text(right_bytes_), ") are as ", hub_.title(),
              " lists them, 0 wrong", missing);
  } else {
    log::warning(model_.text(), ": ", wrong_.size(), " of ", there, " files wrong", named(wrong_), ", downloaded again",
                 missing);
  }
}

}  // namespace mdl::worker::hub
