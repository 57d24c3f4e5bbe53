#pragma once

#include <optional>

#include "worker/http/client.hpp"
#include "worker/hub/hub.hpp"
#include "worker/hub/part_file.hpp"
#include "worker/hub/transfer.hpp"
#include "worker/hub/transfer_state.hpp"

namespace mdl::worker::hub {

/// What a transfer is of.
struct TransferSource {
  const Hub& hub;
  const ModelName& model;
  const Listing& listing;
  const TransferLimits& limits;
};

/// Fetches one range of a file into its part file: tried again while bytes come (no slower than the limits say), after
/// what may pass, and as often in a row as the limits say without them. A server that answers with the whole file is
/// taken at its word.
class RangeFetch {
 public:
  RangeFetch(const TransferSource& source, const ListedFile& file, const PartFile& part, TransferState& state,
             TransferState::Task task);

  /// Returns when the range is there or no longer wanted, which the state is told. Throws Error when it cannot be had.
  void run(http::Client& client);

 private:
  void fetch(http::Client& client);
  http::Request request() const;
  bool begin(const http::Response& head);
  bool take(std::string_view bytes);
  void note();
  bool refuse(const std::string& why);
  [[noreturn]] void reject_size(std::int64_t size) const;

  const TransferSource& source_;
  const ListedFile& file_;
  const PartFile& part_;
  TransferState& state_;
  TransferState::Task task_;
  std::int64_t at_;        ///< the next byte
  std::int64_t noted_;     ///< bytes before it are in the record
  std::int64_t furthest_;  ///< that was reached in any attempt
  std::optional<std::string> refusal_;
};

}  // namespace mdl::worker::hub
