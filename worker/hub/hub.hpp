#pragma once

#include <memory>
#include <optional>
#include <string>

#include "common/error.hpp"
#include "worker/http/client.hpp"
#include "worker/hub/listing.hpp"
#include "worker/hub/model_cache.hpp"
#include "worker/hub/model_name.hpp"
#include "worker/process/worker_environment.hpp"

namespace mdl::worker::hub {

/// The hub does not give the listing of a model. Like a copy of what explain() returns, with the answer's status.
class Unlisted : public Error {
 public:
  Unlisted(const Error& explained, long status) : Error(explained), status_(status) {}
  /// Of HTTP; 0 where no answer came.
  long status() const noexcept { return status_; }

 private:
  long status_;
};

/// A place that publishes models, with the cache that its models have on this machine. What is the same for all hubs
/// (which files, several at a time, ranges, resuming, checking, one downloader a node, the bar) is in transfer.hpp and
/// model_folder.hpp, and knows a hub by this interface only.
///
/// A further hub is two classes, one that implements this and one that implements ModelCache, a parser of its listings
/// (pure, with a fuzz target), and a line in open_hub().
class Hub {
 public:
  virtual ~Hub() = default;

  virtual std::string title() const = 0;  ///< "Hugging Face", for messages
  virtual const ModelCache& cache() const = 0;

  /// The setting that forbids every request, as the user wrote it ("HF_HUB_OFFLINE=1"); nothing when they are allowed.
  virtual std::optional<std::string> offline() const = 0;
  virtual bool shows_progress() const = 0;

  /// Asks for what `model` holds. Throws Unlisted, with what explain() has, Error as check_listed() does,
  /// and UsageError for settings that make no sense.
  virtual Listing list(http::Client& client, const ModelName& model) const = 0;

  /// The request for a file of a listing, without a range.
  virtual http::Request file_request(const ModelName& model, const Listing& listing, const ListedFile& file) const = 0;

  /// What a failed request means to the user, as an exception to throw: one sentence and an advice. `file` is empty for
  /// a request for the listing. A UsageError where it is what the user gave: a name that the hub does not have, a token
  /// that is missing or refused.
  virtual Error explain(const ModelName& model, const std::string& file, const http::Failure& failure) const = 0;
};

/// The hub that --from-modelscope chooses. Throws UsageError for variables that make no sense.
std::unique_ptr<Hub> open_hub(bool from_modelscope, const process::Lookup& lookup = process::lookup_environment);

}  // namespace mdl::worker::hub
