#include "launcher/store_plan.hpp"

#include <charconv>
#include <cstdio>
#include <random>

#include "common/error.hpp"
#include "common/str_cat.hpp"

namespace mdl::launcher {
namespace {

constexpr int kStaticPort = 29500;

std::uint16_t to_port(int port, const std::string& where) {
  if (port < 1 || port > 65535)
    throw UsageError(str_cat(where, " has no port between 1 and 65535"), "Write it as HOST:PORT.");
  return static_cast<std::uint16_t>(port);
}

bool is_loopback(const std::string& host) {
  return host == "localhost" || host.rfind("127.", 0) == 0 || host == "::1" || host == "[::1]";
}

StorePlan plan_static_store(const LaunchOptions& options) {
  StorePlan plan;
  plan.run_id = options.rdzv_id;
  plan.master_addr = options.master_addr;
  int port = options.master_port.value_or(kStaticPort);
  std::string where = "--master-port";
  if (!options.rdzv_endpoint.empty()) {
    where = str_cat("--rdzv-endpoint ", options.rdzv_endpoint);
    const std::size_t colon = options.rdzv_endpoint.rfind(':');
    port = 0;
    if (colon != std::string::npos) {
      const char* begin = options.rdzv_endpoint.data() + colon + 1;
      std::from_chars(begin, options.rdzv_endpoint.data() + options.rdzv_endpoint.size(), port);
    }
    plan.master_addr = options.rdzv_endpoint.substr(0, colon);
  }
  plan.port = to_port(port, where);
  plan.loopback_only = is_loopback(plan.master_addr);
  return plan;
}

}  // namespace

StorePlan plan_store(const LaunchOptions& options, const std::string& fresh_id) {
  StorePlan local;
  local.run_id = fresh_id;
  if (options.standalone) return local;
  if (options.nnodes.max > 1) {
    throw UsageError("jobs on several nodes (--nnodes above 1) are not yet supported by this version of mdl-launch",
                     "Use torchrun for this job, or one node with --standalone.");
  }
  if (options.rdzv_backend == "static") {
    return options.rdzv_endpoint.empty() && !options.master_port ? local : plan_static_store(options);
  }
  if (options.rdzv_backend == "c10d") {
    // One node meets nobody at the endpoint; its workers meet at a store on a port of its own, as torchrun's do.
    local.run_id = options.rdzv_id;
    return local;
  }
  throw UsageError(str_cat("--rdzv-backend ", options.rdzv_backend, " is not supported"),
                   "Use c10d or static. etcd is not needed: c10d brings its own store.");
}

std::string make_uuid() {
  std::random_device random;
  const auto word = [&random] { return static_cast<unsigned>(random()); };
  const unsigned a = word();
  const unsigned b = word();
  const unsigned c = word();
  const unsigned d = word();
  char text[37];
  std::snprintf(text, sizeof text, "%08x-%04x-4%03x-%04x-%04x%08x", a, b >> 16, b & 0xfff, (c >> 16 & 0x3fff) | 0x8000,
                c & 0xffff, d);
  return text;
}

}  // namespace mdl::launcher
