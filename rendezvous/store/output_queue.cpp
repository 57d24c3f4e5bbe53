#include "rendezvous/store/output_queue.hpp"

#include <utility>

namespace mdl::rendezvous::store {

void OutputQueue::push(StoreReply reply) {
  push_bytes(std::move(reply.head));
  if (!reply.value || reply.value->empty()) { return; }
  if (reply.value->size() <= kCopiedBytes) {
    push_bytes(std::string(*reply.value));
  } else {
    size_ += reply.value->size();
    pieces_.push_back({{}, std::move(reply.value)});
  }
}

void OutputQueue::push_bytes(std::string&& bytes) {
  if (bytes.empty()) { return; }
  size_ += bytes.size();
  own_size_ += bytes.size();
  const bool joins =
      !pieces_.empty() && !pieces_.back().shared && pieces_.back().own.size() + bytes.size() <= kJoinedBytes;
  if (joins) {
    pieces_.back().own.append(bytes);
  } else {
    pieces_.push_back({std::move(bytes)});
  }
}

std::array<boost::asio::const_buffer, OutputQueue::kBuffersPerWrite> OutputQueue::front() const {
  std::array<boost::asio::const_buffer, kBuffersPerWrite> buffers;
  for (std::size_t i = 0; i < buffers.size() && i < pieces_.size(); ++i) {
    buffers[i] = boost::asio::buffer(pieces_[i].bytes());
  }
  if (!pieces_.empty()) { buffers[0] += sent_; }
  return buffers;
}

void OutputQueue::pop(std::size_t n) {
  size_ -= n;
  sent_ += n;
  while (!pieces_.empty() && sent_ >= pieces_.front().bytes().size()) {
    sent_ -= pieces_.front().bytes().size();
    own_size_ -= pieces_.front().own.size();
    pieces_.pop_front();
  }
}

}  // namespace mdl::rendezvous::store
