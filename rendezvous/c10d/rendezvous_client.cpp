#include "rendezvous/c10d/rendezvous_client.hpp"

#include "common/str_cat.hpp"

namespace mdl::rendezvous::c10d {

std::string RendezvousClient::name() const {
  return str_cat("rendezvous \"", job_.run_id, "\" at ", to_string(job_.endpoint), ": ");
}

void RendezvousClient::fail_closed() const {
  throw RendezvousError(RendezvousError::Reason::closed, name() + "it is closed: the job has ended",
                        "Start a new job under another --rdzv-id.");
}

void RendezvousClient::fail_left_out() const {
  if (job_.settings.max_nodes == 1) {  // rather started by mistake than kept as a spare one
    throw RendezvousError(
        RendezvousError::Reason::closed,
        name() + "this job of one node was done by another agent, and this one has run nothing",
        "If this is another job, give it another --rdzv-id; if the job has several nodes, give all the same --nnodes.");
  }
  throw RendezvousError(RendezvousError::Reason::left_out,
                        name() + "the job has ended without need of this spare node");
}

void RendezvousClient::fail_refused(const std::string& why) const {
  throw RendezvousError(RendezvousError::Reason::refused, name() + why,
                        "Start all nodes of a job with the same --nnodes.");
}

void RendezvousClient::fail_too_few(std::size_t participants, const std::string& remark) const {
  const std::chrono::duration<double> tried = job_.settings.join_timeout;
  throw RendezvousError(
      RendezvousError::Reason::timed_out,
      str_cat(name(), "no complete round after ", tried.count(), " s: ", participants, " of at least ",
              job_.settings.min_nodes, " nodes were there", remark.empty() ? "" : "; ", remark),
      "Check that the other nodes run with the same --rdzv-id, --rdzv-endpoint and --nnodes, or "
      "allow more time with --rdzv-conf join_timeout=SECONDS.");
}

void RendezvousClient::fail_in_time(const std::string& why) const {
  throw RendezvousError(RendezvousError::Reason::timed_out, name() + why);
}

}  // namespace mdl::rendezvous::c10d
