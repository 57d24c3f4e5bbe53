#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "worker/hub/listing.hpp"
#include "worker/hub/model_name.hpp"
#include "worker/hub/wanted_files.hpp"

namespace mdl::worker::hub {

/// Where a hub's models lie on this machine, in the layout of that hub's own Python package, so that each side finds
/// what the other has put there. Several processes, also of several machines, may use one cache at the same time:
/// nothing in here takes a lock; a file gets its name by rename when it is whole and checked.
///
/// Functions that write throw Error naming the path.
class ModelCache {
 public:
  virtual ~ModelCache() = default;

  /// The folder of all models.
  virtual std::filesystem::path root() const = 0;

  /// What of a model is there. Asks nobody but the file system.
  struct Found {
    std::filesystem::path folder;      ///< of the model's files; empty where there is nothing
    std::vector<std::string> missing;  ///< names of files that `parts` needs; empty when it is whole
    std::string commit{};              ///< of the listing that the files are of, where the cache tells
    bool read_only = false;            ///< an older version of the hub's package has left it: it is never written to
    bool whole() const { return !folder.empty() && missing.empty(); }
  };
  virtual Found find(const ModelName& model, Parts parts) const = 0;

  /// The content of `file`, where the cache has it already (of the listed size), from whatever revision.
  virtual std::optional<std::filesystem::path> find_file(const ModelName& model, const Listing& listing,
                                                         const ListedFile& file) const = 0;

  /// Whether the cache has `file` and each place where it has it, under the model's name or another one, has the listed
  /// size and hash. Reads all of it, once.
  virtual bool has_right(const ModelName& model, const Listing& listing, const ListedFile& file) const = 0;

  /// Throws UsageError when the disk cannot have the names that publish() needs for this revision: one is too long, or
  /// another revision's stands in the way. Writes nothing.
  virtual void require_names(const ModelName& model, const Listing& listing) const = 0;

  /// Where the part file of `file` grows until it is whole: a folder on the same file system as its final place, and
  /// the beginning of its name, to which the owner and ".incomplete" are added (see part_file.hpp). The folder may not
  /// be there yet.
  struct PartPlace {
    std::filesystem::path folder;
    std::string stem;
  };
  virtual PartPlace part_place(const ModelName& model, const Listing& listing, const ListedFile& file) const = 0;

  /// Takes a whole, checked and synced file in by renaming it. Someone else may have done the same before.
  virtual void keep(const ModelName& model, const Listing& listing, const ListedFile& file,
                    const std::filesystem::path& whole) const = 0;

  /// When all `files` were kept: makes them the model's folder, which find() returns from then on. What find() goes by
  /// appears last. Throws Vanished where another process has taken a file away meanwhile.
  virtual std::filesystem::path publish(const ModelName& model, const Listing& listing,
                                        const std::vector<ListedFile>& files) const = 0;
};

}  // namespace mdl::worker::hub
