#include "worker/hub/download.hpp"

#include <map>
#include <set>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/log.hpp"
#include "common/str_cat.hpp"
#include "worker/cli/size_text.hpp"
#include "worker/hub/checked_files.hpp"
#include "worker/hub/part_file.hpp"
#include "worker/hub/transfer.hpp"

namespace mdl::worker::hub {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMostIndexBytes = 64 << 20;

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

}  // namespace

fs::path download_model(const Hub& hub, const ModelName& model, Parts parts, Trust trust) {
  http::Client client;
  const Listing listing = hub.list(client, model);
  const bool adapter = is_adapter(listing, model.text());
  hub.cache().require_names(model, listing);
  CheckedFiles checked(hub, model, listing);
  std::vector<ListedFile> files = select_small_files(listing);
  if (trust == Trust::hash) { checked.look_at(files); }
  if (parts == Parts::all || adapter) {
    const std::vector<ListedFile> weights =
        select_weights(listing, read_index(hub, model, listing), model.repository());
    if (trust == Trust::hash) { checked.look_at(weights); }
    files.insert(files.end(), weights.begin(), weights.end());
  }
  if (trust == Trust::hash) { checked.tell(); }
  std::int64_t bytes = 0;
  for (const ListedFile& file : files) { bytes += file.size; }
  if (!checked.all_right()) {
    log::news("downloading ", model.text(), " from ", hub.title(), " into ", hub.cache().root().string(), ": ",
              files.size(), " files, ", cli::size_text(bytes));
  }
  tell_of_foreign_parts(hub, model, listing, files.front());
  transfer(hub, model, listing, files, "Downloading", checked.wrong());
  fs::path folder = hub.cache().publish(model, listing, files);
  remove_leftovers_of(hub, model, listing, files);
  return folder;
}

}  // namespace mdl::worker::hub
