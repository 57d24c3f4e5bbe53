#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "rendezvous/c10d/rendezvous_step.hpp"

namespace mdl::rendezvous::c10d {

/// How agents of ours talk to a host of ours, so that a thousand of them need not contend for the state with
/// compare_set (which costs the square of their number): each sends one message, and the host, which alone changes the
/// state for them, folds all that have come into it at once (JoinQueue). What lies in the store is the same as
/// ever, and torch's agents, who know nothing of this, read and change it as they do.
///
/// Everything goes through plain queries of the TCPStore protocol. A host of ours sets kServiceKey, whose prefix torch
/// never uses: an agent that finds it there calls, any other host is worked with as torch's agents do. A call is a
/// COMPARE_SET of kServiceCallKey with the request as the desired value; it is never stored, and the reply
/// comes when there is something to say, or, saying nothing, when the same agent calls again. So each call is a
/// sign of life of the agent, and each reply one of the host.
inline constexpr std::string_view kServiceKey = "mdl.rendezvous";
inline constexpr std::string_view kServiceCallKey = "mdl.rendezvous/call";

/// What is at kServiceKey: "1 JOB", the version of these messages and the --rdzv-id of the agent that hosts the store
/// (which serves every other job as well).
struct ServiceAnnouncement {
  std::string run_id;
};
std::string to_string(const ServiceAnnouncement& announcement);
/// Nothing when it is of a version that is not known here: its host is worked with as torch's are.
std::optional<ServiceAnnouncement> read_service_announcement(std::string_view text);

struct ServiceRequest {
  enum class Intent {
    join,   ///< leave the round that another ticket was for, and be part of the next complete one
    stay,   ///< in the round that `ticket` was for; replied to when something happens to it
    leave,  ///< be part of none
    close,  ///< let nobody join any more
  };

  std::uint64_t number = 0;  ///< of the call; the reply has it too. They rise.
  Intent intent = Intent::join;
  std::string run_id{};
  NodeDesc node{};
  std::uint64_t ticket = 0;       ///< names one join; the same when it is asked again over a new connection
  RendezvousSettings settings{};  ///< of join

  bool operator==(const ServiceRequest&) const = default;
};

struct ServiceReply {
  enum class Kind {
    none,           ///< nothing has happened yet
    round,          ///< join: the node is in a complete round
    spare,          ///< join: it is a spare node, and waits without limit
    not_spare,      ///< join: it is none any more
    closed,         ///< join, stay: the job has ended
    left_out,       ///< join: the job has ended without need of this spare node
    refused,        ///< join: `text` says why
    nodes_waiting,  ///< stay: see RoundEvent
    node_lost,      ///< stay
    dropped,        ///< stay
    done,           ///< leave, close
  };

  std::uint64_t number = 0;
  Kind kind = Kind::none;
  std::int64_t round = 0;    ///< of `round`: its number,
  std::int64_t rank = 0;     ///< this node's rank,
  std::int64_t nodes = 0;    ///< how many nodes it has; of leave: how many participants there were
  std::string first_addr{};  ///< and the address of the node with rank 0
  std::string text{};        ///< of refused, for people; of leave: who was refused

  bool operator==(const ServiceReply&) const = default;
};

/// JSON, on one line. Reading gives nothing when the text is no such message.
std::string to_json(const ServiceRequest& request);
std::string to_json(const ServiceReply& answer);
std::optional<ServiceRequest> service_request_from_json(std::string_view text);
std::optional<ServiceReply> service_reply_from_json(std::string_view text);

}  // namespace mdl::rendezvous::c10d
