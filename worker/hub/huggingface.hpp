#pragma once

#include "worker/hub/hub.hpp"
#include "worker/hub/hub_settings.hpp"
#include "worker/hub/huggingface_cache.hpp"

namespace mdl::worker::hub {

/// Hugging Face's hub, or a mirror of it (HF_ENDPOINT): the API that huggingface_hub 2.4 uses. Asked are
/// /api/models/ORG/NAME/revision/REVISION (which commit), /api/models/ORG/NAME/tree/COMMIT (which files), and
/// /ORG/NAME/resolve/COMMIT/PATH for each file, which redirects to where large files lie.
class HuggingFace : public Hub {
 public:
  /// The variables that only requests need are read by the first list().
  explicit HuggingFace(process::Lookup lookup);

  std::string title() const override { return "Hugging Face"; }
  const ModelCache& cache() const override { return cache_; }
  std::optional<std::string> offline() const override { return settings_.offline; }
  bool shows_progress() const override { return settings_.progress_bars; }
  Listing list(http::Client& client, const ModelName& model) const override;
  http::Request file_request(const ModelName& model, const Listing& listing, const ListedFile& file) const override;
  Error explain(const ModelName& model, const std::string& file, const http::Failure& failure) const override;

 private:
  http::Request request(const std::string& url) const;
  std::string api(const ModelName& model) const;
  /// A JSON text and the address of its next page.
  struct Page {
    std::string text;
    std::optional<std::string> next;
  };
  /// The address of a further page, at the endpoint: a mirror may pass on one of the hub's own, which it stands for.
  /// Throws Error for what is neither an address nor a path.
  std::string page_at_endpoint(const std::string& next, const std::string& repository) const;
  Page ask(http::Client& client, const ModelName& model, const std::string& url) const;
  /// The files of a commit, of all pages. Throws Error at the first page that has come before.
  std::vector<ListedFile> list_tree(http::Client& client, const ModelName& model, const std::string& commit) const;

  process::Lookup lookup_;
  mutable HubSettings settings_;  ///< see list()
  HuggingFaceCache cache_;
};

}  // namespace mdl::worker::hub
