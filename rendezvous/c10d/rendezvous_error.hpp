#pragma once

#include <string>

#include "common/error.hpp"

namespace mdl::rendezvous::c10d {

/// A rendezvous that came to its end without this node being part of a round.
class RendezvousError : public Error {
 public:
  enum class Reason {
    timed_out,  ///< not enough nodes in time
    closed,     ///< the job has ended
    refused,    ///< this node was started with other settings than the others
    left_out,   ///< the job of several nodes has ended well; this one was spare and was never needed. No failure.
  };

  RendezvousError(Reason reason, const std::string& problem, const std::string& advice = {})
      : Error(problem, advice), reason_(reason) {}

  Reason reason() const { return reason_; }

 private:
  Reason reason_;
};

}  // namespace mdl::rendezvous::c10d
