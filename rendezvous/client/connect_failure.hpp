#pragma once

#include <optional>
#include <string>

namespace mdl::rendezvous::client {

/// Why an attempt to connect to a store has failed, where that is expected: the server may not have started.
struct ConnectFailure {
  enum class Kind {
    refused,  ///< a machine answers, and nobody listens at that port of that address
    other,    ///< no answer, no such name, no route, or who answers is no TCPStore server
  };

  Kind kind;
  std::string reason;  ///< for people, to stand within a sentence: "connection refused"
};

/// How far somebody who connects, attempt after attempt, has come; for whoever tells people meanwhile.
struct ConnectProgress {
  std::optional<ConnectFailure> failure{};  ///< of the last attempt that has ended
};

}  // namespace mdl::rendezvous::client
