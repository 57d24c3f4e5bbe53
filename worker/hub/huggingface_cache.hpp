#pragma once

#include "worker/hub/hub_settings.hpp"
#include "worker/hub/model_cache.hpp"

namespace mdl::worker::hub {

/// Hugging Face's cache, as huggingface_hub 2.4 has it after downloads by plain HTTP:
///
///     CACHEDIR.TAG
///     models--ORG--NAME/
///       blobs/HASH                     the contents, named by sha256 (LFS) or git's hash
///       refs/REVISION                  the commit that a branch or tag stood for when it was asked last
///       snapshots/COMMIT/PATH          links ../../blobs/HASH; real files with HF_HUB_DISABLE_SYMLINKS
///       trees/COMMIT.json              Python's listing of all files; read where it is there, not written: with it
///                                      Python takes a snapshot without README.md for one that is not whole
///
/// Blobs may be links themselves, to blobs that several repositories share (blobs/ in the root): these are read. Of a
/// snapshot config.json gets its name last, so that one of ours that has it is whole. No lock is taken: Python's are
/// there to save downloads only.
class HuggingFaceCache : public ModelCache {
 public:
  HuggingFaceCache(std::filesystem::path root, bool symlinks) : root_(std::move(root)), symlinks_(symlinks) {}

  std::filesystem::path root() const override { return root_; }
  /// What is not there: config.json, tokenizer.json and the weights, or what Python's listing has besides.
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
  void give_name(const std::filesystem::path& blob, const std::filesystem::path& name, const ListedFile& file,
                 bool shares_blob) const;

  std::filesystem::path root_;
  bool symlinks_;
};

}  // namespace mdl::worker::hub
