#include "worker/hub/download.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <set>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/join.hpp"
#include "common/log.hpp"
#include "common/str_cat.hpp"
#include "worker/cli/progress_bar.hpp"
#include "worker/cli/size_text.hpp"
#include "worker/hub/cache_files.hpp"
#include "worker/hub/part_file.hpp"
#include "worker/hub/transfer.hpp"

namespace mdl::worker::hub {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMostIndexBytes = 64 << 20;

/// How the files of a model in its hub's cache compare with the hub's listing, byte by byte.
class CheckedFiles {
 public:
  /// All three live as long as this.
  CheckedFiles(const Hub& hub, const ModelName& model, const Listing& listing)
      : hub_(hub), model_(model), listing_(listing) {}

  /// Reads what the cache has of `files`, with a bar. Throws Error when a file cannot be read.
  void look_at(const std::vector<ListedFile>& files);

  /// Paths of files that are there and have another size or hash.
  const std::set<std::string>& wrong() const { return wrong_; }
  /// Says how many were right, wrong and missing; nothing where all were missing.
  void tell() const;

 private:
  const Hub& hub_;
  const ModelName& model_;
  const Listing& listing_;
  std::set<std::string> wrong_, missing_;
  std::size_t right_ = 0;
  std::int64_t right_bytes_ = 0;
};

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
    log::warning(model_.text(), ": ", wrong_.size(), " of ", there, " files wrong", named(wrong_),
                 ": downloading them again", missing);
  }
}

/// The index tells which files hold the weights, so it comes before all else, and is never believed by its size.
std::string read_index(const Hub& hub, const ModelName& model, const Listing& listing) {
  const ListedFile* const index = listing.find(kSafetensorsIndex);
  if (!index) { return {}; }
  if (index->size > kMostIndexBytes) {
    throw Error(str_cat(kSafetensorsIndex, " of ", model.text(), " has ", cli::size_text(index->size),
                        ": no index is that large"));
  }
  if (!hub.cache().has_right(model, listing, *index)) { transfer(hub, model, listing, {*index}, "", {index->path}); }
  return read_text(hub.cache().find_file(model, listing, *index).value());
}

void tell_of_foreign_parts(const Hub& hub, const ModelName& model, const Listing& listing, const ListedFile& any) {
  const fs::path folder = hub.cache().part_place(model, listing, any).folder;
  const ForeignParts parts = foreign_parts(folder);
  if (parts.count == 0) { return; }
  log::news(folder.string(), " has ", parts.count, " unfinished file", parts.count == 1 ? "" : "s", " (*.incomplete, ",
            cli::size_text(parts.bytes),
            ") of other machines or containers: if nothing downloads there any more, remove them");
}

/// What earlier attempts left of files that are whole now, also where another program has completed them.
void remove_leftovers_of(const Hub& hub, const ModelName& model, const Listing& listing,
                         const std::vector<ListedFile>& files) {
  std::map<fs::path, std::set<std::string>> stems;
  for (const ListedFile& file : files) {
    const auto place = hub.cache().part_place(model, listing, file);
    stems[place.folder].insert(place.stem);
  }
  for (const auto& [folder, names] : stems) { remove_leftovers(folder, names); }
}

/// Processes of two machines with one cache may take away and put back each other's files of one snapshot: who ends has
/// seen all of them there.
fs::path transfer_and_publish(const Hub& hub, const ModelName& model, const Listing& listing,
                              const std::vector<ListedFile>& files, std::set<std::string> anew) {
  constexpr int kMostTries = 10;
  for (int tries = 1;; ++tries) {
    transfer(hub, model, listing, files, tries == 1 ? "Downloading" : "", anew);
    anew.clear();
    try {
      fs::path folder = hub.cache().publish(model, listing, files);
      const auto lost =
          std::ranges::find_if(files, [&](const ListedFile& file) { return !has_size(folder / file.path, file); });
      if (lost == files.end()) { return folder; }
      if (tries == kMostTries) { throw Vanished(folder / lost->path); }
    } catch (const Vanished&) {
      if (tries == kMostTries) { throw; }
    }
  }
}

}  // namespace

fs::path download_model(const Hub& hub, const ModelName& model, Parts parts, Trust trust) {
  http::Client client;
  const Listing listing = hub.list(client, model);
  const bool adapter = is_adapter(listing, model.text());
  hub.cache().require_names(model, listing);
  CheckedFiles checked(hub, model, listing);
  std::vector<ListedFile> files = select_small_files(listing);
  if (trust == Trust::hash) { checked.look_at(files); }
  std::vector<ListedFile> missing = files_to_download(hub, model, listing, files, checked.wrong());
  if (parts == Parts::all || adapter) {
    const std::vector<ListedFile> weights =
        select_weights(listing, read_index(hub, model, listing), model.repository());
    if (trust == Trust::hash) { checked.look_at(weights); }
    std::ranges::copy(files_to_download(hub, model, listing, weights, checked.wrong()), std::back_inserter(missing));
    files.insert(files.end(), weights.begin(), weights.end());
  }
  if (trust == Trust::hash) { checked.tell(); }
  std::int64_t bytes = 0;
  for (const ListedFile& file : missing) { bytes += file.size; }
  if (!missing.empty()) {
    log::news("downloading ", model.text(), " from ", hub.title(), " into ", hub.cache().root().string(), ": ",
              missing.size(), missing.size() == 1 ? " file, " : " files, ", cli::size_text(bytes));
  }
  tell_of_foreign_parts(hub, model, listing, files.front());
  fs::path folder = transfer_and_publish(hub, model, listing, files, checked.wrong());
  remove_leftovers_of(hub, model, listing, files);
  return folder;
}

}  // namespace mdl::worker::hub
