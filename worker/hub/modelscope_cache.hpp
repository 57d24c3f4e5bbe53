#pragma once

#include <set>

#include "worker/hub/model_cache.hpp"

namespace mdl::worker::hub {

/// ModelScope's cache, as the package modelscope 1.40 has it:
///
///     models/ORG--NAME/snapshots/REVISION/PATH      real files; REVISION is the branch or tag ("master"), not a commit
///
/// and, while a download of ours is under way, models/ORG--NAME/.incomplete-REVISION/ with part files, and whole ones
/// named by their sha256. Older versions of the package left ORG/NAME, with "." in NAME as "___" or not, below models/,
/// hub/models/, hub/ or the root: as the package does, a model that is whole there is taken from there; nothing is
/// written there.
///
/// Of a snapshot config.json gets its name last, and loses it first when the content of another file changes, or
/// the new revision has no model.safetensors.index.json and the old one had. What is there already counts by its hash.
class ModelscopeCache : public ModelCache {
 public:
  explicit ModelscopeCache(std::filesystem::path root) : root_(std::move(root)) {}

  std::filesystem::path root() const override { return root_; }
  /// Without a revision: in the package's order, its old folders included; else this revision's snapshot only.
  Found find(const ModelName& model, Parts parts) const override;
  std::optional<std::filesystem::path> find_file(const ModelName& model, const Listing& listing,
                                                 const ListedFile& file) const override;
  bool has_right(const ModelName& model, const Listing& listing, const ListedFile& file) const override;
  void require_names(const ModelName& model, const Listing& listing) const override;
  PartPlace part_place(const ModelName& model, const Listing& listing, const ListedFile& file) const override;
  void keep(const ModelName& model, const Listing& listing, const ListedFile& file,
            const std::filesystem::path& whole) const override;
  std::filesystem::path publish(const ModelName& model, const Listing& listing,
                                const std::vector<ListedFile>& files) const override;

 private:
  std::filesystem::path folder_of(const ModelName& model) const;
  std::filesystem::path snapshot_of(const ModelName& model) const;
  std::filesystem::path part_folder(const ModelName& model) const;
  std::filesystem::path whole_file(const ModelName& model, const ListedFile& file) const;
  std::vector<std::filesystem::path> candidates(const ModelName& model) const;

  /// Whether the content of `path` is that of `file`: by its hash, once; by its size where the hub tells no hash.
  bool is_right(const std::filesystem::path& path, const ListedFile& file) const;
  bool changes(const ModelName& model, const ListedFile& file) const;
  void unpublish(const ModelName& model, const std::vector<ListedFile>& files,
                 const std::filesystem::path& index) const;
  void give_name(const ModelName& model, const std::vector<ListedFile>& files, const ListedFile& file) const;

  std::filesystem::path root_;
  mutable std::set<std::string> right_;  ///< files, as they were when they had the right hash
};

}  // namespace mdl::worker::hub
