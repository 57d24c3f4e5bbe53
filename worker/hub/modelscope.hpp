#pragma once

#include "worker/hub/hub.hpp"
#include "worker/hub/modelscope_cache.hpp"
#include "worker/hub/modelscope_settings.hpp"

namespace mdl::worker::hub {

/// ModelScope, by the API that the PyPI package modelscope 1.40 uses: /api/v1/models/ORG/NAME/repo/files lists a
/// revision ("master" where none is given), /api/v1/models/ORG/NAME/repo?FilePath=PATH gives a file, or redirects to
/// where large ones lie. The token goes along as a header and as the cookie m_session_id, as there.
class Modelscope : public Hub {
 public:
  /// The variables that only requests need are read by the first list().
  explicit Modelscope(process::Lookup lookup)
      : lookup_(std::move(lookup)), settings_(read_modelscope_cache_settings(lookup_)), cache_(settings_.cache) {}

  std::string title() const override { return "ModelScope"; }
  const ModelCache& cache() const override { return cache_; }
  /// The package has no such variable, and Hugging Face's mean nothing here.
  std::optional<std::string> offline() const override { return std::nullopt; }
  bool shows_progress() const override { return settings_.progress_bars; }
  Listing list(http::Client& client, const ModelName& model) const override;
  http::Request file_request(const ModelName& model, const Listing& listing, const ListedFile& file) const override;
  Error explain(const ModelName& model, const std::string& file, const http::Failure& failure) const override;

 private:
  http::Request request(const ModelName& model, const std::string& page_and_query) const;
  bool sends_token() const;

  process::Lookup lookup_;
  mutable ModelscopeSettings settings_;  ///< see list()
  ModelscopeCache cache_;
};

}  // namespace mdl::worker::hub
