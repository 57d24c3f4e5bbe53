#include "worker/hub/range_fetch.hpp"

#include <algorithm>

#include "common/log.hpp"
#include "common/str_cat.hpp"

namespace mdl::worker::hub {

RangeFetch::RangeFetch(const TransferSource& source, const ListedFile& file, const PartFile& part, TransferState& state,
                       TransferState::Task task)
    : source_(source),
      file_(file),
      part_(part),
      state_(state),
      task_(task),
      at_(task.range.begin),
      noted_(at_),
      furthest_(at_) {}

void RangeFetch::reject_size(std::int64_t size) const {
  throw Error(str_cat(file_.path, " of ", source_.model.text(), " has ", size, " bytes at the server, and ", file_.size,
                      " in its listing"),
              "What that server has is not what it lists: try again later, or another server.");
}

bool RangeFetch::refuse(const std::string& why) {
  refusal_ = why;
  return false;
}

http::Request RangeFetch::request() const {
  http::Request request = source_.hub.file_request(source_.model, source_.listing, file_);
  request.lowest_speed = source_.limits.lowest_speed;
  request.headers.emplace_back("Accept-Encoding: identity");  // sizes and hashes are of the file itself
  if (!task_.whole_file || at_ > 0) { request.range = http::ByteRange{at_, task_.range.end}; }
  return request;
}

/// Whether what begins is what was asked for.
bool RangeFetch::begin(const http::Response& head) {
  if (head.status == 206) {
    const auto content = head.content_range();
    if (content && content->total && *content->total != file_.size) { reject_size(*content->total); }
    return (content && content->range.begin == at_) || refuse("the server sent another range than the one asked for");
  }
  const auto length = head.content_length();
  if (length && *length != file_.size) { reject_size(*length); }
  if (at_ == 0 && task_.range.end == file_.size) { return true; }
  if (!state_.take_whole(task_)) { return false; }
  at_ = noted_ = 0;
  return true;
}

void RangeFetch::note() {
  part_.note({noted_, at_});
  state_.add(task_, {noted_, at_});
  noted_ = at_;
}

bool RangeFetch::take(std::string_view bytes) {
  const auto count = static_cast<std::int64_t>(bytes.size());
  if (count > task_.range.end - at_) {
    if (task_.range.end == file_.size) { reject_size(at_ + count); }
    return refuse("the server sent more than it was asked for");
  }
  if (!state_.goes_on(task_)) { return false; }
  part_.write(at_, bytes);
  at_ += count;
  if (at_ - noted_ >= source_.limits.record_every) { note(); }
  return true;
}

void RangeFetch::run(http::Client& client) {
  fetch(client);
  state_.fetched(task_);
}

void RangeFetch::fetch(http::Client& client) {
  http::Retry retry(source_.limits.retry);
  const http::Receiver receiver{.begin = [&](const http::Response& head) { return begin(head); },
                                .bytes = [&](std::string_view bytes) { return take(bytes); },
                                .goes_on = [&] { return state_.goes_on(task_); }};
  auto begin = std::chrono::steady_clock::now();
  while (state_.goes_on(task_)) {
    refusal_.reset();
    const std::int64_t before = furthest_;
    const auto answer = client.get(request(), receiver);
    note();
    if (!state_.goes_on(task_)) { return; }
    if (answer && at_ == task_.range.end) { return; }
    http::Failure failure =
        answer ? http::Failure{http::Failure::Kind::cut, "the answer ended early", answer->url, true} : answer.error();
    if (refusal_) {
      failure.reason = *refusal_;
      failure.may_pass = true;
    }
    furthest_ = std::max(furthest_, at_);
    const auto now = std::chrono::steady_clock::now();
    const bool progress =
        furthest_ > before && http::keeps_pace(source_.limits.lowest_speed, furthest_ - before, now - begin);
    begin = now;  // the pause counts too: a few bytes in each of many attempts are a drip as well
    const auto pause = retry.next(failure, progress);
    if (!pause) { throw source_.hub.explain(source_.model, file_.path, failure); }
    const std::string told =
        str_cat(file_.path, " at byte ", at_, ": ", failure.reason, "; again in ", pause->count(), " ms");
    if (*pause >= source_.limits.retry.long_pause) {
      log::news(told);
    } else {
      log::info(told);
    }
    state_.sleep(task_, *pause);
  }
}

}  // namespace mdl::worker::hub
