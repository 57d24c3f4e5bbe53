#include "launcher/command_line/store_plan.hpp"

#include <catch2/catch.hpp>

#include "common/error.hpp"

using namespace mdl;
using namespace mdl::launcher::command_line;
using namespace mdl::rendezvous::server;
using mdl::rendezvous::server::ListenAddress;
using mdl::rendezvous::server::ListenScope;

TEST_CASE("a standalone job and one node without endpoint meet on a free loopback port") {
  LaunchOptions options;
  options.rdzv_id = "mine";
  for (const bool standalone : {true, false}) {
    options.standalone = standalone;
    const StorePlan plan = plan_store(options, "fresh");
    CHECK(plan.port == 0);
    CHECK(listen_address(plan).kind() == ListenAddress::Kind::loopback);
    CHECK(plan.master_addr == "localhost");
    CHECK(plan.run_id == "fresh");
  }
}

TEST_CASE("a static rendezvous takes its address and port from the command line") {
  LaunchOptions options;
  options.rdzv_id = "mine";
  options.master_port = 1234;
  StorePlan plan = plan_store(options, "fresh");
  CHECK(plan.port == 1234);
  CHECK(plan.master_addr == "127.0.0.1");
  CHECK(plan.run_id == "mine");
  CHECK(listen_address(plan).kind() == ListenAddress::Kind::loopback);
  options.rdzv_endpoint = "node3:4321";
  plan = plan_store(options, "fresh");
  CHECK(plan.port == 4321);
  CHECK(plan.master_addr == "node3");
  CHECK(plan.listen == ListenScope::as_given);
  options.rdzv_endpoint = "::1:4321";
  plan = plan_store(options, "fresh");
  CHECK(plan.port == 4321);
  CHECK(plan.master_addr == "::1");
  options.rdzv_endpoint = "";
  options.master_addr = "[2001:db8::7]";  // the form of torchrun --help
  CHECK(plan_store(options, "fresh").master_addr == "2001:db8::7");
  options.master_port = 0;
  CHECK_THROWS_WITH(plan_store(options, "fresh"), Catch::Contains("--master-port 0") && !Catch::Contains("HOST:PORT"));
  options.rdzv_endpoint = "node3";
  CHECK_THROWS_WITH(plan_store(options, "fresh"), Catch::Contains("node3") && Catch::Contains("port"));
}

TEST_CASE("the address that is given for this node is what its workers are told") {
  LaunchOptions options;
  options.local_addr = "10.1.2.3";
  for (const char* backend : {"static", "c10d"}) {
    options.rdzv_backend = backend;
    const StorePlan plan = plan_store(options, "fresh");
    CHECK(plan.master_addr == "10.1.2.3");
    CHECK(plan.listen == ListenScope::here);
  }
  options.nnodes = {2, 2};
  CHECK(plan_store(options, "fresh").c10d.value().local_addr == "10.1.2.3");
}

TEST_CASE("etcd is a clear error") {
  LaunchOptions options;
  options.rdzv_backend = "etcd-v2";
  CHECK_THROWS_WITH(plan_store(options, ""), Catch::Contains("etcd-v2") && Catch::Contains("c10d"));
}

TEST_CASE("run ids are UUIDs, each a new one") {
  const std::string a = make_uuid();
  CHECK(a.size() == 36);
  CHECK(a[14] == '4');
  CHECK(a != make_uuid());
}

TEST_CASE("the exit barrier's timeout is torchrun's, or TORCH_ELASTIC_EXIT_BARRIER_TIMEOUT") {
  const auto timeout_of = [](std::optional<std::string> variable) {
    const Environment environment = [&](const std::string& name) {
      return name == "TORCH_ELASTIC_EXIT_BARRIER_TIMEOUT" ? variable : std::nullopt;
    };
    const auto parsed = parse_command_line({"--nnodes=2", "--rdzv-backend=c10d", "a.py"}, environment);
    return plan_store(parsed.options, "fresh").exit_barrier_timeout;
  };
  CHECK(timeout_of(std::nullopt) == std::chrono::seconds(300));
  CHECK(timeout_of("0") == std::chrono::seconds(0));
  CHECK(timeout_of("1.5") == std::chrono::milliseconds(1500));
  for (const char* wrong : {"-1", "soon", "", "nan"}) { CHECK_THROWS_AS(timeout_of(wrong), mdl::UsageError); }
}

TEST_CASE("how far the stores are open is as the endpoint is given, or as listen says, but for standalone") {
  const auto plan = [](std::string conf, std::string backend) {
    LaunchOptions options;
    options.nnodes = {2, 2};
    options.rdzv_backend = std::move(backend);
    options.rdzv_endpoint = "node1:29400";
    options.rdzv_conf = std::move(conf);
    return plan_store(options, "fresh");
  };
  CHECK(plan("", "c10d").c10d->listen == ListenScope::as_given);
  CHECK(plan("listen=endpoint", "c10d").c10d->listen == ListenScope::endpoint);
  CHECK(plan("listen=any", "c10d").c10d->listen == ListenScope::any);
  CHECK(plan("", "static").listen == ListenScope::as_given);
  CHECK(plan("listen=endpoint", "static").listen == ListenScope::endpoint);
  CHECK(plan("listen=any", "static").listen == ListenScope::any);
  LaunchOptions alone;
  alone.rdzv_conf = "listen=any";
  CHECK(plan_store(alone, "fresh").listen == ListenScope::any);
  alone.standalone = true;
  CHECK(plan_store(alone, "fresh").listen == ListenScope::here);
  CHECK_THROWS_WITH(plan("listen=all", "c10d"), Catch::Contains("endpoint or any"));
}
