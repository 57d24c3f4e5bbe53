#pragma once

#include <chrono>
#include <vector>

#include "launcher/doctor/facts.hpp"
#include "launcher/doctor/job_spec.hpp"
#include "launcher/doctor_deep/node_measurer.hpp"

namespace mdl::launcher::doctor {

/// Finds out how the endpoint looks from here (fills self.endpoint.state), and, when the job has several nodes, meets
/// the doctors of the other nodes there: the node that would open the store (rank 0, else the owner of the endpoint's
/// address) listens on the endpoint, the others connect. Each sends its facts, lets its clock be compared, and tries to
/// connect to each other, so that all of them come back with the same facts of all nodes. Waits at most `wait` for the
/// others; returns those that came, this node's own among them.
///
/// With a `measurer` (--deep) the nodes are measured then, for at most half a minute more (deep_exchange.hpp); one that
/// meets nobody is measured alone.
///
/// Only JSON of at most 1 MiB a message is read from the network (of the server 8 MiB), and a connection that says
/// anything else is closed.
std::vector<NodeFacts> exchange_facts(const JobSpec& job, NodeFacts self, std::chrono::milliseconds wait,
                                      doctor_deep::NodeMeasurer* measurer = nullptr);

}  // namespace mdl::launcher::doctor
