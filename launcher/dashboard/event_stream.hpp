#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "launcher/dashboard/job_feed.hpp"
#include "launcher/http/http_message.hpp"

namespace mdl::launcher::dashboard {

/// What one reader of the page gets: server-sent events, "state" and "points", whenever there is something new. Who
/// reads slowly gets the newest, and not all that was.
class EventStream : public http::BodyStream {
 public:
  /// After so long without anything new a reader gets an empty comment: he knows that there is a connection, and the
  /// server whether there is a reader.
  static constexpr std::chrono::seconds kSilence{8};

  /// `feed` must outlive it.
  explicit EventStream(JobFeed& feed) : feed_(feed), reader_(feed.begin_to_read()) {}

  asio::awaitable<std::shared_ptr<const std::string>> next() override;

 private:
  JobFeed& feed_;
  const std::shared_ptr<Reader> reader_;
  SeriesHistory::Cursor cursor_{};
  std::uint64_t given_ = 0;                            ///< the frame that was handed out last
  std::shared_ptr<const std::string> after_points_{};  ///< and has to go out yet
  bool begun_ = false;
};

}  // namespace mdl::launcher::dashboard
