#include "rendezvous/c10d/rendezvous_service.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>

#include "common/log.hpp"
#include "rendezvous/c10d/join_queue.hpp"
#include "rendezvous/c10d/service_message.hpp"
#include "rendezvous/c10d/shared_state.hpp"

namespace mdl::rendezvous::c10d {
namespace {

using std::chrono::microseconds;
using Clock = std::chrono::steady_clock;

// A turn gets this share of the time when there is always something for it to do.
constexpr int kTurnShare = 8;

}  // namespace

class RendezvousService::Impl final : public server::StoreExtension, public std::enable_shared_from_this<Impl> {
 public:
  Impl(asio::io_context& io, server::TcpStoreServer& server) : io_(io), server_(server) {}

  void start(std::string run_id) {
    server_.extend(this, kServiceCallKey, kStateKeyPrefix);
    server_.set(kServiceKey, to_string(ServiceAnnouncement{std::move(run_id)}));
  }
  void stop() {
    server_.extend(nullptr);
    for (auto& [run_id, job] : jobs_) { job->timer.cancel(); }
    jobs_.clear();
  }

  store::Complaint on_call(std::uint64_t client, const std::string& text) override {
    std::optional<ServiceRequest> request = service_request_from_json(text);
    if (!request) { return "calls the rendezvous with what is no request"; }
    const std::string run_id = request->run_id;
    const auto known = run_ids_.find(client);
    if (known != run_ids_.end() && known->second != run_id) { return "calls the rendezvous of two jobs"; }
    run_ids_.emplace(client, run_id);
    const Job job = job_of(run_id);
    JoinQueue::CallResult result = job->queue.call(client, std::move(*request), Clock::now());
    if (result.reply) { server_.reply(result.reply->to, to_json(result.reply->reply)); }
    if (result.turn_due) { schedule(job, microseconds::zero()); }
    return std::nullopt;
  }

  void on_disconnect(std::uint64_t client) override {
    const auto known = run_ids_.find(client);
    if (known == run_ids_.end()) { return; }
    if (const auto found = jobs_.find(known->second); found != jobs_.end()) {
      found->second->queue.disconnected(client, Clock::now());
      schedule(found->second, JoinQueue::kGrace);
    }
    run_ids_.erase(known);
  }

  void on_key_change(const std::string& key) override {
    // A key of a round begins like that of the state; the round's are looked up in vain.
    const auto found = jobs_.find(key.substr(kStateKeyPrefix.size()));
    if (found == jobs_.end()) { return; }
    found->second->stale = true;
    schedule(found->second, microseconds::zero());
  }

 private:
  struct JobState {
    JobState(asio::io_context& io, std::string id) : run_id(std::move(id)), timer(io) {}
    const std::string run_id;
    JoinQueue queue{};
    RendezvousState state{};  // what `stored` says, and heartbeats that are not worth writing yet
    std::string stored{};
    bool stale = true;  // somebody else may have written
    asio::steady_timer timer;
    std::optional<Clock::time_point> due{};  // when the next turn is to be
    Clock::time_point not_before{};
  };
  using Job = std::shared_ptr<JobState>;

  Job job_of(const std::string& run_id) {
    Job& job = jobs_[run_id];
    if (!job) { job = std::make_shared<JobState>(io_, run_id); }
    return job;
  }

  /// There will be a turn after `wait`, or sooner.
  void schedule(const Job& job, microseconds wait) {
    const Clock::time_point at = std::max(Clock::now() + wait, job->not_before);
    if (job->due && *job->due <= at) { return; }
    job->due = at;
    job->timer.expires_at(at);
    job->timer.async_wait([self = shared_from_this(), job](const boost::system::error_code& error) {
      if (error || !job->due) { return; }
      job->due.reset();
      self->turn(job);
    });
  }

  void turn(const Job& job) {
    const auto began = Clock::now();
    const RendezvousMoment now{std::chrono::floor<microseconds>(std::chrono::system_clock::now()), began};
    if (!refresh(*job)) { return; }
    JoinQueue::Turn turn = job->queue.turn(job->state, now);
    if (turn.changed) {
      job->stored = encode_rendezvous_state(job->state);
      server_.set(state_key(job->run_id), job->stored);
    }
    for (const JoinQueue::Reply& reply : turn.replies) { server_.reply(reply.to, to_json(reply.reply)); }
    const auto ended = Clock::now();
    job->not_before = ended + (ended - began) * kTurnShare;
    if (const auto rest = job->queue.next_turn(job->state, now)) {
      schedule(job, *rest);
    } else {
      jobs_.erase(job->run_id);
    }
  }

  /// Takes over what others have written. False when that cannot be read; then nothing can be done until they have
  /// written something else.
  bool refresh(JobState& job) {
    if (!std::exchange(job.stale, false)) { return true; }
    std::string stored = server_.get(state_key(job.run_id)).value_or("");
    if (stored == job.stored) { return true; }
    job.stored = std::move(stored);
    try {
      job.state = decode_rendezvous_state(job.stored);
      return true;
    } catch (const Error& error) {
      log::warning("rendezvous \"", job.run_id, "\": ", error.what());
      job.stale = true;
      job.stored.clear();
      return false;
    }
  }

  asio::io_context& io_;
  server::TcpStoreServer& server_;
  std::map<std::string, Job, std::less<>> jobs_;
  std::unordered_map<std::uint64_t, std::string> run_ids_;  // which job each calling client is about
};

RendezvousService::RendezvousService(asio::io_context& io, server::TcpStoreServer& server, std::string run_id)
    : impl_(std::make_shared<Impl>(io, server)) {
  impl_->start(std::move(run_id));
}

RendezvousService::~RendezvousService() {
  impl_->stop();
}

}  // namespace mdl::rendezvous::c10d
