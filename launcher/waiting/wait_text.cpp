#include "launcher/waiting/wait_text.hpp"

#include <algorithm>
#include <map>

#include "common/join.hpp"
#include "common/log.hpp"
#include "common/str_cat.hpp"
#include "launcher/output/printable.hpp"

namespace mdl::launcher::waiting {
namespace {

using rendezvous::c10d::NodeDesc;
using rendezvous::c10d::RendezvousState;

constexpr std::size_t kLongestName = 64;
constexpr std::size_t kMostNames = 16;

std::string job_text(const WaitContext& context) {
  return str_cat("; job ", output::printable(context.run_id, kLongestName));
}

std::string left_text(const WaitContext& context) {
  return context.left ? str_cat("; ", time_text(*context.left), " left") : std::string();
}

std::string ending(const WaitContext& context) {
  return job_text(context) + left_text(context);
}

/// "a, b and 5 more", of which no more than `most` by name; nothing where that is none.
std::string list(const std::vector<std::string>& words, std::size_t most) {
  if (words.size() <= most) { return joined(words); }
  if (most == 0) { return {}; }
  const auto end = words.begin() + static_cast<std::ptrdiff_t>(most);
  return str_cat(joined(std::vector<std::string>(words.begin(), end)), " and ", words.size() - most, " more");
}

/// The sentence that `make` gives for a list of `words`, as many of them as its columns allow.
template <typename Make>
std::string fitting_list(const WaitContext& context, const std::vector<std::string>& words, Make make) {
  std::string text;
  for (std::size_t most = std::min(words.size(), kMostNames) + 1; most > 0; --most) {
    text = make(list(words, most - 1));
    if (log::columns_of(text) <= context.columns) { break; }
  }
  return text;
}

/// The nodes by name, each name once: "node1", "2 on localhost".
template <typename Nodes>
std::vector<std::string> names_of(const Nodes& nodes) {
  std::map<std::string, int> agents;
  for (const NodeDesc& node : nodes) { ++agents[output::printable(node.addr, kLongestName)]; }
  std::vector<std::string> names;
  for (const auto& [name, count] : agents) { names.push_back(count == 1 ? name : str_cat(count, " on ", name)); }
  return names;
}

std::vector<NodeDesc> participants_of(const RendezvousState& state) {
  std::vector<NodeDesc> nodes;
  for (const auto& [node, rank] : state.participants) { nodes.push_back(node); }
  return nodes;
}

std::string in_brackets(const std::string& names) {
  return names.empty() ? std::string() : str_cat(" (", names, ")");
}

std::string all_are(std::int64_t nodes) {
  return nodes == 1 ? "the only node is" : str_cat("all ", nodes, " nodes are");
}

std::string text_of(WantedNodes wanted) {
  return wanted.least == wanted.most ? std::to_string(wanted.most) : str_cat(wanted.least, " to ", wanted.most);
}

/// Of a node that cannot be part of the round that goes on.
std::string wait_for_next_round(const WaitContext& context, const RendezvousState& state) {
  const std::vector<NodeDesc> nodes = participants_of(state);
  return fitting_list(context, names_of(nodes), [&](const std::string& names) {
    return str_cat("waiting for the next round: ", nodes.size(), " of the nodes at ", to_string(context.store),
                   in_brackets(names), nodes.size() == 1 ? " has" : " have", " not ended round ", state.round,
                   ending(context));
  });
}

}  // namespace

std::string time_text(std::chrono::milliseconds time) {
  const auto seconds = std::max<std::int64_t>(0, std::chrono::ceil<std::chrono::seconds>(time).count());
  if (seconds < 60) { return str_cat(seconds, " s"); }
  if (seconds < 3600) { return str_cat(seconds / 60, " min ", seconds % 60, " s"); }
  return str_cat(seconds / 3600, " h ", seconds % 3600 / 60, " min");
}

std::string wait_for_others(const WaitContext& context) {
  return str_cat("waiting for the other nodes at ", to_string(context.store), ending(context));
}

std::string wait_for_store(const WaitContext& context, const rendezvous::client::ConnectProgress* progress) {
  const std::string reason = progress && progress->failure ? progress->failure->reason : "no answer yet";
  return str_cat("waiting for the store at ", to_string(context.store), ": ", reason, ending(context));
}

std::string store_advice(const WaitContext& context, const rendezvous::client::ConnectProgress* progress,
                         const std::string& host_name, const std::vector<std::string>& addresses) {
  using Kind = rendezvous::client::ConnectFailure::Kind;
  const bool refused = progress && progress->failure && progress->failure->kind == Kind::refused;
  return str_cat(refused ? "A machine answers there, and nothing listens at that port. " : "",
                 "An agent of the job on ", context.store.host, " hosts the store: is it started? This machine is ",
                 host_name, ", with the addresses ", list(addresses, kMostNames));
}

std::string wait_for_nodes(const WaitContext& context, const RendezvousState& state, const NodeDesc& self,
                           WantedNodes wanted, rendezvous::c10d::RendezvousTime now) {
  const std::vector<NodeDesc> nodes = participants_of(state);
  const std::vector<std::string> names = names_of(nodes);
  if (state.redundancy_list.contains(self) && wanted.most == 1) {
    return fitting_list(context, names, [&](const std::string& some) {
      return str_cat("standing by: another agent runs this job of one node at ", to_string(context.store),
                     in_brackets(some), job_text(context), "; another job needs another --rdzv-id");
    });
  }
  if (state.redundancy_list.contains(self)) {
    return fitting_list(context, names, [&](const std::string& some) {
      return str_cat("standing by as a spare node: others have all ", wanted.most, " places at ",
                     to_string(context.store), in_brackets(some), job_text(context));
    });
  }
  if (state.complete && !state.participants.contains(self)) { return wait_for_next_round(context, state); }
  std::string end = ending(context);
  if (state.deadline && !state.complete) {
    const auto call = std::chrono::ceil<std::chrono::milliseconds>(*state.deadline - now);
    end = str_cat(job_text(context), "; last call: the round begins in ", time_text(call));
  }
  return fitting_list(context, names, [&](const std::string& some) {
    return str_cat("waiting for ", state.deadline ? "more " : "", "nodes: ", nodes.size(), " of ", text_of(wanted),
                   " are at ", to_string(context.store), in_brackets(some), end);
  });
}

std::string wait_for_ranks(const WaitContext& context, std::int64_t nodes, const std::vector<std::string>& missing) {
  std::vector<std::string> names;
  for (const std::string& name : missing) { names.push_back(output::printable(name, kLongestName)); }
  return fitting_list(context, names, [&](const std::string& some) {
    return str_cat("waiting for the ranks: ", all_are(nodes), " at ", to_string(context.store),
                   some.empty() ? "" : str_cat(", and have not said how many workers they have: ", some),
                   ending(context));
  });
}

std::string wait_for_static_nodes(const WaitContext& context, std::int64_t nodes, const std::set<int>& missing) {
  std::vector<std::string> ranks;
  for (const int rank : missing) { ranks.push_back(std::to_string(rank)); }
  if (ranks.empty()) {
    return str_cat("waiting for the ranks from node 0: ", all_are(nodes), " at ", to_string(context.store),
                   ending(context));
  }
  const std::int64_t there = nodes - static_cast<std::int64_t>(missing.size());
  return fitting_list(context, ranks, [&](const std::string& some) {
    return str_cat("waiting for nodes: ", there, " of ", nodes, " are at ", to_string(context.store),
                   some.empty() ? "" : str_cat(" (missing: --node-rank ", some, ")"), ending(context));
  });
}

}  // namespace mdl::launcher::waiting
