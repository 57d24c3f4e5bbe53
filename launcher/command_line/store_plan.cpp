#include "launcher/command_line/store_plan.hpp"

#include <algorithm>
#include <cctype>
#include <limits>
#include <vector>

#include "common/endpoint.hpp"
#include "common/error.hpp"
#include "common/host.hpp"
#include "common/log.hpp"
#include "common/nearest_name.hpp"
#include "common/parse_number.hpp"
#include "common/str_cat.hpp"
#include "launcher/command_line/option_table.hpp"
#include "launcher/command_line/rdzv_conf.hpp"

namespace mdl::launcher::command_line {
namespace {

/// An IPv6 address as torchrun documents it for --master-addr, [0:0:0:0:0:0:0:1], without them.
std::string without_brackets(const std::string& host) {
  return host.size() > 2 && host.front() == '[' && host.back() == ']' ? host.substr(1, host.size() - 2) : host;
}

using Settings = RdzvConf;

std::string in_lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

int whole_number(const Settings& settings, const std::string& key, int otherwise) {
  const auto given = settings.find(key);
  if (given == settings.end()) { return otherwise; }
  const auto value = parse_whole_number(given->second);
  if (!value || *value < 1 || *value > std::numeric_limits<int>::max()) {
    throw UsageError(str_cat("--rdzv-conf ", key, " must be a whole number above 0, but is \"", given->second, "\""));
  }
  return static_cast<int>(*value);
}

/// Puts it where it is given in place of the default, `time`.
template <typename Duration>
void read_seconds(const Settings& settings, const std::string& key, Duration& time) {
  if (settings.contains(key)) { time = std::chrono::seconds(whole_number(settings, key, 0)); }
}

/// A time that may be 0 and have a fraction; 0 when it is not given.
rendezvous::c10d::RendezvousSettings::Duration any_seconds(const Settings& settings, const std::string& key) {
  const auto given = settings.find(key);
  if (given == settings.end()) { return {}; }
  constexpr double kMost = 1e9;
  const auto value = parse_real_number(given->second);
  if (!value || *value < 0 || *value > kMost) {
    throw UsageError(
        str_cat("--rdzv-conf ", key, " must be a number of seconds, 0 or more, but is \"", given->second, "\""));
  }
  return std::chrono::round<rendezvous::c10d::RendezvousSettings::Duration>(std::chrono::duration<double>(*value));
}

/// As torchrun reads it: in any case 1, true, t, yes, y; 0, false, f, no, n.
std::optional<bool> truth(const Settings& settings, const std::string& key) {
  const auto given = settings.find(key);
  if (given == settings.end()) { return std::nullopt; }
  const std::string word = in_lower_case(given->second);
  for (const char* yes : {"1", "true", "t", "yes", "y"}) {
    if (word == yes) { return true; }
  }
  for (const char* no : {"0", "false", "f", "no", "n"}) {
    if (word == no) { return false; }
  }
  throw UsageError(str_cat("--rdzv-conf ", key, " must be 1 or 0, but is \"", given->second, "\""));
}

/// --rdzv-conf listen. Ours alone; torchrun listens on all interfaces.
rendezvous::server::ListenScope listen_scope(const Settings& settings, rendezvous::server::ListenScope otherwise) {
  const auto given = settings.find("listen");
  if (given == settings.end()) { return otherwise; }
  if (given->second == "endpoint") { return rendezvous::server::ListenScope::endpoint; }
  if (given->second == "any") { return rendezvous::server::ListenScope::any; }
  throw UsageError(str_cat("--rdzv-conf listen must be endpoint or any, but is \"", given->second, "\""),
                   advice_for(given->second, {"endpoint", "any"}));
}

Endpoint static_master(const LaunchOptions& options) {
  if (!options.rdzv_endpoint.empty()) {
    Endpoint endpoint = parse_endpoint(options.rdzv_endpoint, 0);
    if (endpoint.port == 0) {
      throw UsageError(str_cat("--rdzv-endpoint ", options.rdzv_endpoint, " has no port between 1 and 65535"),
                       "Write it as HOST:PORT.");
    }
    return endpoint;
  }
  const int port = options.master_port.value_or(kStaticPort);
  if (port == 0) {
    throw UsageError(
        "--master-port 0: nobody would know which port to meet at",
        str_cat("Give one from 1 to 65535, or leave it out: it is ", kStaticPort, ", or on one node any free port."));
  }
  return {without_brackets(options.master_addr), static_cast<std::uint16_t>(port)};
}

/// One node alone needs no rendezvous, only the store.
StorePlan plan_static_store(const LaunchOptions& options, const Settings& settings) {
  StaticJob job;
  job.run_id = options.rdzv_id;
  job.master = static_master(options);
  read_seconds(settings, "timeout", job.timeout);
  job.listen = listen_scope(settings, job.listen);
  job.nodes = options.nnodes.max;
  job.node_rank = options.node_rank;
  if (job.node_rank >= job.nodes) {
    throw UsageError(str_cat("--node-rank ", job.node_rank, " is not below the number of nodes, ", job.nodes),
                     "The nodes have the ranks 0, 1, …: one each.");
  }
  if (job.nodes > 1) { return job; }
  LocalStore store;
  store.run_id = job.run_id;
  store.address = job.master.host;
  store.port = job.master.port;
  store.listen = job.listen;
  return store;
}

/// --rdzv-conf plain_clients: hosts, or ADDRESS[/BITS]+… beside them. Ours alone. ('+', as ',' divides settings.)
std::vector<rendezvous::access::AddressRange> read_plain_clients(const Settings& settings) {
  const auto given = settings.find("plain_clients");
  std::vector<rendezvous::access::AddressRange> ranges;
  if (given == settings.end()) { return ranges; }
  if (!settings.contains("secret_file")) {
    throw UsageError(
        "--rdzv-conf plain_clients is of no use without secret_file: everybody may talk to the store then");
  }
  if (given->second == "none") {
    throw UsageError(
        "--rdzv-conf plain_clients=none would keep the workers of this job out: they cannot prove a secret",
        "Leave it out: the job's own hosts are let in.");
  }
  if (given->second == "hosts") { return ranges; }
  for (std::size_t begin = 0; begin <= given->second.size();) {
    const std::size_t end = std::min(given->second.find('+', begin), given->second.size());
    const std::string item = given->second.substr(begin, end - begin);
    const auto range = rendezvous::access::AddressRange::parse(item);
    if (!range) {
      throw UsageError(
          str_cat("--rdzv-conf plain_clients: \"", item, "\" is neither an address nor a range of addresses"),
          "Write it as hosts, or as in plain_clients=10.1.0.0/16+fd00:7::5, with no bits set after the first 16.");
    }
    ranges.push_back(*range);
    begin = end + 1;
  }
  return ranges;
}

C10dJob plan_c10d_job(const LaunchOptions& options, const Settings& settings) {
  if (const auto type = settings.find("store_type"); type != settings.end() && in_lower_case(type->second) != "tcp") {
    throw UsageError(str_cat("--rdzv-conf store_type=", type->second, " is not supported"), "Leave it out: it is tcp.");
  }
  C10dJob job;
  job.run_id = options.rdzv_id;
  job.endpoint = parse_endpoint(options.rdzv_endpoint.empty() ? "localhost" : options.rdzv_endpoint, kC10dPort);
  job.local_addr = options.local_addr;
  job.is_host = truth(settings, "is_host");
  job.listen = listen_scope(settings, job.listen);
  read_seconds(settings, "read_timeout", job.read_timeout);
  rendezvous::c10d::RendezvousSettings& rules = job.settings;
  rules.min_nodes = options.nnodes.min;
  rules.max_nodes = options.nnodes.max;
  read_seconds(settings, "join_timeout", rules.join_timeout);
  read_seconds(settings, "last_call_timeout", rules.last_call_timeout);
  read_seconds(settings, "close_timeout", rules.close_timeout);
  read_seconds(settings, "keep_alive_interval", rules.keep_alive_interval);
  rules.keep_alive_max_attempt = whole_number(settings, "keep_alive_max_attempt", rules.keep_alive_max_attempt);
  read_seconds(settings, "heartbeat_timeout", rules.heartbeat_timeout);
  job.cas_backoff = any_seconds(settings, "cas_backoff_max_seconds");
  return job;
}

/// Agents on other hosts that are told "localhost" look for each other on their own hosts.
void warn_of_loopback(const std::string& host, int nodes) {
  const bool loopback = host == "localhost" || host == "::1" || (is_address(host) && host.starts_with("127."));
  if (!loopback || nodes < 2) { return; }
  log::warning("the store of ", nodes, " nodes is to be at ", host,
               ", which is this machine alone: other hosts cannot reach it. Give all nodes the name or an address of "
               "one of them; if all agents run on this machine, it is right as it is");
}

/// Where the store is, and who hosts it.
StorePlan plan_place(const LaunchOptions& options, const Settings& settings, const std::string& fresh_id) {
  LocalStore local;
  local.run_id = fresh_id;
  local.agent_store = options.agent_store;
  if (options.local_addr) { local.address = *options.local_addr; }
  if (options.standalone) { return local; }
  local.listen = listen_scope(settings, local.listen);
  const bool several = options.nnodes.max > 1;
  if (options.rdzv_backend == "static") {
    if (!several && options.rdzv_endpoint.empty() && !options.master_port) { return local; }
    StorePlan plan = plan_static_store(options, settings);
    if (const auto* job = std::get_if<StaticJob>(&plan)) { warn_of_loopback(job->master.host, job->nodes); }
    return plan;
  }
  if (options.rdzv_backend == "c10d") {
    if (options.node_rank != 0) {
      log::warning("--node-rank is for --rdzv-backend static; with c10d the nodes agree on their ranks themselves");
    }
    if (options.master_port || options.master_addr != LaunchOptions().master_addr) {
      log::warning(
          "--master-addr and --master-port are for --rdzv-backend static; with c10d the first node gives them");
    }
    C10dJob job = plan_c10d_job(options, settings);  // also to say what is wrong with the options
    const bool meets = !options.rdzv_endpoint.empty() && job.endpoint.port != 0;
    if (several || meets) {
      // With is_host=0 the user says that another agent here has it, or that a tunnel leads there.
      if (job.is_host.value_or(true)) { warn_of_loopback(job.endpoint.host, options.nnodes.max); }
      return job;
    }
    // One node that names no place meets nobody; its workers meet at a store on a port of its own.
    local.run_id = options.rdzv_id;
    return local;
  }
  throw UsageError(str_cat("--rdzv-backend ", options.rdzv_backend, " is not supported"),
                   str_cat(did_you_mean(options.rdzv_backend, std::vector<std::string>{"static", "c10d"}),
                           "Use c10d or static. etcd is not needed: c10d brings its own store."));
}

/// Whether an agent hosts the store that the workers meet at: always so with static.
bool agent_hosts_store(const StorePlan& plan, const LaunchOptions& options) {
  if (const auto* local = std::get_if<LocalStore>(&plan)) { return local->agent_store; }
  return std::holds_alternative<StaticJob>(plan) || options.agent_store;
}

}  // namespace

StorePlan plan_store(const LaunchOptions& options, const std::string& fresh_id) {
  const Settings settings = parse_rdzv_conf(options.rdzv_conf);
  StorePlan plan = plan_place(options, settings, fresh_id);
  for (const std::string& warning : warnings_of(settings)) { log::warning(warning); }
  read_plain_clients(settings);  // to say what is wrong with them
  if (settings.contains("secret_file") && !agent_hosts_store(plan, options)) {
    throw UsageError(
        "--rdzv-conf secret_file and TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 do not go together: the first worker would "
        "host PyTorch's own store, which knows no secret",
        "Leave one of them out.");
  }
  return plan;
}

void load_secret(StorePlan& plan, const std::string& rdzv_conf) {
  const std::string secret_file = secret_file_of(rdzv_conf);
  if (secret_file.empty()) { return; }
  const auto guard = std::make_shared<rendezvous::access::StoreGuard>(
      rendezvous::access::read_store_secret(secret_file), plain_clients_of(rdzv_conf), local_addresses);
  std::visit([&](auto& kind) { kind.guard = guard; }, plan);
}

std::string secret_file_of(const std::string& rdzv_conf) {
  const Settings settings = parse_rdzv_conf(rdzv_conf);
  const auto file = settings.find("secret_file");
  return file == settings.end() ? std::string() : file->second;
}

std::vector<rendezvous::access::AddressRange> plain_clients_of(const std::string& rdzv_conf) {
  return read_plain_clients(parse_rdzv_conf(rdzv_conf));
}

const std::string& run_id_of(const StorePlan& plan) {
  return std::visit([](const auto& kind) -> const std::string& { return kind.run_id; }, plan);
}

std::string backend_of(const StorePlan& plan) {
  const auto* local = std::get_if<LocalStore>(&plan);
  return std::holds_alternative<StaticJob>(plan) || (local && local->port != 0) ? "static" : "c10d";
}

rendezvous::server::ListenAddress listen_address(const LocalStore& store) {
  return rendezvous::server::ListenAddress::of_store(store.address, store.listen, store.guard != nullptr);
}

rendezvous::server::ListenAddress listen_address(const StaticJob& job) {
  return rendezvous::server::ListenAddress::of_store(job.master.host, job.listen, job.guard != nullptr);
}

}  // namespace mdl::launcher::command_line
