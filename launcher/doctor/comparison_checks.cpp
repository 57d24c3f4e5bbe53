#include <algorithm>
#include <cmath>
#include <functional>
#include <iomanip>
#include <sstream>

#include "common/join.hpp"
#include "common/str_cat.hpp"
#include "launcher/doctor/check_classes.hpp"

namespace mdl::launcher::doctor {
namespace {

using Level = Finding::Level;

constexpr double kClockTolerance = 5.0;  // seconds; rendezvous heartbeats tolerate 15

std::string seconds(double value) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(value < 1 ? 3 : 1) << value << " s";
  return text.str();
}

}  // namespace

void ComparisonChecks::owner() {
  if (job_.host.empty() || static_cast<int>(nodes_.size()) < job_.nodes) { return; }
  std::vector<std::string> owners;
  for (const NodeFacts& node : nodes_) {
    if (node.endpoint.owned) { owners.push_back(node.host); }
  }
  bool loopback = std::all_of(nodes_.begin(), nodes_.end(), [](const NodeFacts& node) {
    return !node.endpoint.addresses.empty() &&
           (node.endpoint.addresses[0].starts_with("127.") || node.endpoint.addresses[0] == "::1");
  });
  if (loopback && job_.nodes > 1) {
    add(Level::warning, "endpoint owner", "", str_cat(job_.host, " means each machine itself, not one of them"),
        "Right only when all nodes of the job are on this one machine; else give the address of one node.");
  } else if (owners.empty()) {
    add(Level::fail, "endpoint owner", "", str_cat("no node of the job has the address of ", job_.host),
        "Give an address of one of the nodes; the launcher there opens the store.");
  } else {
    add(Level::ok, "endpoint owner", "", str_cat(job_.host, " belongs to ", joined(owners)));
  }
}

void ComparisonChecks::completeness() {
  if (job_.nodes == 1) { return; }
  int here = static_cast<int>(nodes_.size());
  if (here < job_.nodes) {
    add(Level::warning, "nodes", "", str_cat(here, " of ", job_.nodes, " nodes were examined"),
        "Run the same `mdl-launch doctor …` on all nodes at about the same time to compare them.");
  } else {
    add(Level::ok, "nodes", "", str_cat("all ", job_.nodes, " nodes were examined"));
  }
}

void ComparisonChecks::connections() {
  if (nodes_.size() < 2) { return; }
  bool all = true;
  for (const NodeFacts& node : nodes_) {
    for (const std::string& other : node.unreachable) {
      all = false;
      add(Level::fail, "connections", node.host, str_cat("cannot connect to ", other),
          "Workers connect to each other on ports of the system's choice: open them between the nodes, in both "
          "directions.");
    }
  }
  if (all) { add(Level::ok, "connections", "", "every node can connect to every other, both ways"); }
}

void ComparisonChecks::clocks() {
  if (nodes_.size() < 2) { return; }
  double worst = 0;
  for (const NodeFacts& node : nodes_) {
    worst = std::max(worst, std::abs(node.clock_ahead_s));
    if (std::abs(node.clock_ahead_s) > kClockTolerance) {
      add(Level::warning, "clock", node.host,
          str_cat("the clock is ", seconds(std::abs(node.clock_ahead_s)),
                  node.clock_ahead_s > 0 ? " ahead" : " behind"),
          "Synchronise the clocks (chrony, systemd-timesyncd): timeouts and logs compare times of different nodes.");
    }
  }
  if (worst <= kClockTolerance) { add(Level::ok, "clock", "", str_cat("the clocks agree within ", seconds(worst))); }
}

template <typename ValueOf>
void ComparisonChecks::same(const std::string& check, bool required, const std::string& advice, ValueOf value_of) {
  std::vector<std::string> values;
  for (const NodeFacts& node : nodes_) { values.push_back(value_of(node)); }
  bool equal = std::adjacent_find(values.begin(), values.end(), std::not_equal_to<>()) == values.end();
  if (equal) {
    if (!values[0].empty()) { add(Level::ok, check, "", values[0] + (nodes_.size() > 1 ? " on all nodes" : "")); }
    return;
  }
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    parts.push_back(nodes_[i].host + ": " + (values[i].empty() ? "none" : values[i]));
  }
  add(required ? Level::fail : Level::warning, check, "", "differs between the nodes: " + joined(parts), advice);
}

void ComparisonChecks::versions() {
  same("mdl-launch", false, "Install the same mdl-launch on all nodes.",
       [](const NodeFacts& node) { return node.launcher_version; });
  same("GPU kind", false, "A job waits for its slowest GPU, and settings that fit one kind may not fit the other.",
       [](const NodeFacts& node) { return node.gpu_names.empty() ? "" : node.gpu_names[0]; });
  same("driver", false, "Install the same NVIDIA driver on all nodes.",
       [](const NodeFacts& node) { return node.driver_version; });
  same("LibTorch", true, "Install the same LibTorch on all nodes: its wire formats change between versions.",
       [](const NodeFacts& node) { return node.libtorch_version; });
  same("NCCL", runs_on_gpus(job_), "Install the same NCCL on all nodes; different ones do not talk to each other.",
       [](const NodeFacts& node) { return node.nccl_version; });
}

void ComparisonChecks::add(Level level, const std::string& check, const std::string& node, const std::string& text,
                           const std::string& advice) {
  findings_.push_back({level, check, node, text, advice});
}

}  // namespace mdl::launcher::doctor
