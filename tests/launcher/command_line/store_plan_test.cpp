#include "launcher/command_line/store_plan.hpp"

#include <catch2/catch.hpp>

#include "common/error.hpp"
#include "tests/rendezvous/stderr_capture.hpp"

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
    const auto& store = std::get<LocalStore>(plan);
    CHECK(store.port == 0);
    CHECK(listen_address(store).kind() == ListenAddress::Kind::loopback);
    CHECK(store.address == "localhost");
    CHECK(run_id_of(plan) == "fresh");
    CHECK(backend_of(plan) == "c10d");
  }
}

TEST_CASE("a static rendezvous takes its address and port from the command line") {
  LaunchOptions options;
  options.rdzv_id = "mine";
  options.master_port = 1234;
  StorePlan plan = plan_store(options, "fresh");
  const auto& store = std::get<LocalStore>(plan);  // of one node
  CHECK(store.port == 1234);
  CHECK(store.address == "127.0.0.1");
  CHECK(run_id_of(plan) == "mine");
  CHECK(backend_of(plan) == "static");
  CHECK(listen_address(store).kind() == ListenAddress::Kind::loopback);
  options.rdzv_endpoint = "node3:4321";
  plan = plan_store(options, "fresh");
  CHECK(store.port == 4321);
  CHECK(store.address == "node3");
  CHECK(store.listen == ListenScope::as_given);
  options.rdzv_endpoint = "::1:4321";
  plan = plan_store(options, "fresh");
  CHECK(store.port == 4321);
  CHECK(store.address == "::1");
  options.rdzv_endpoint = "";
  options.nnodes = {2, 2};
  options.master_addr = "[2001:db8::7]";  // the form of torchrun --help
  plan = plan_store(options, "fresh");
  CHECK(std::get<StaticJob>(plan).master == Endpoint("2001:db8::7", 1234));
  CHECK(run_id_of(plan) == "mine");
  CHECK(backend_of(plan) == "static");
  options.master_port = 0;
  CHECK_THROWS_WITH(plan_store(options, "fresh"), Catch::Contains("--master-port 0") && !Catch::Contains("HOST:PORT"));
  options.rdzv_endpoint = "node3";
  CHECK_THROWS_WITH(plan_store(options, "fresh"), Catch::Contains("node3") && Catch::Contains("port"));
}

TEST_CASE("one node that names its endpoint meets there with c10d, and at a port of its own without a place") {
  LaunchOptions options;
  options.rdzv_backend = "c10d";
  options.rdzv_id = "mine";
  options.rdzv_endpoint = "node3:1234";
  const auto job = std::get<C10dJob>(plan_store(options, "fresh"));
  CHECK((job.endpoint == Endpoint("node3", 1234) && job.settings.min_nodes == 1 && job.settings.max_nodes == 1));
  options.rdzv_endpoint = "node3";
  CHECK(std::get<C10dJob>(plan_store(options, "fresh")).endpoint == Endpoint("node3", 29400));
  for (const char* nowhere : {"", "localhost:0"}) {
    options.rdzv_endpoint = nowhere;
    const auto store = std::get<LocalStore>(plan_store(options, "fresh"));
    CHECK((store.port == 0 && store.run_id == "mine" && store.address == "localhost"));
  }
}

TEST_CASE("the address that is given for this node is what its workers are told") {
  LaunchOptions options;
  options.local_addr = "10.1.2.3";
  for (const char* backend : {"static", "c10d"}) {
    options.rdzv_backend = backend;
    const auto store = std::get<LocalStore>(plan_store(options, "fresh"));
    CHECK(store.address == "10.1.2.3");
    CHECK(store.listen == ListenScope::here);
  }
  options.nnodes = {2, 2};
  CHECK(std::get<C10dJob>(plan_store(options, "fresh")).local_addr == "10.1.2.3");
}

TEST_CASE("etcd is a clear error") {
  LaunchOptions options;
  options.rdzv_backend = "etcd-v2";
  CHECK_THROWS_WITH(plan_store(options, ""), Catch::Contains("etcd-v2") && Catch::Contains("c10d"));
}

TEST_CASE("the exit barrier's timeout is torchrun's, or TORCH_ELASTIC_EXIT_BARRIER_TIMEOUT") {
  const auto timeout_of = [](std::optional<std::string> variable) {
    const Environment environment = [&](const std::string& name) {
      return name == "TORCH_ELASTIC_EXIT_BARRIER_TIMEOUT" ? variable : std::nullopt;
    };
    const auto parsed = parse_command_line({"--nnodes=2", "--rdzv-backend=c10d", "a.py"}, environment);
    return parsed.options.exit_barrier_timeout;
  };
  CHECK(timeout_of(std::nullopt) == std::chrono::seconds(300));
  CHECK(timeout_of("0") == std::chrono::seconds(0));
  CHECK(timeout_of("1.5") == std::chrono::milliseconds(1500));
  for (const char* wrong : {"-1", "soon", "", "nan"}) { CHECK_THROWS_AS(timeout_of(wrong), mdl::UsageError); }
}

TEST_CASE("how far the stores are open is as the endpoint is given, or as listen says, but for standalone") {
  const auto scope = [](std::string conf, std::string backend) {
    LaunchOptions options;
    options.nnodes = {2, 2};
    options.rdzv_backend = std::move(backend);
    options.rdzv_endpoint = "node1:29400";
    options.rdzv_conf = std::move(conf);
    const auto listen = [](const auto& kind) { return kind.listen; };
    return std::visit(listen, plan_store(options, "fresh"));
  };
  CHECK(scope("", "c10d") == ListenScope::as_given);
  CHECK(scope("listen=endpoint", "c10d") == ListenScope::endpoint);
  CHECK(scope("listen=any", "c10d") == ListenScope::any);
  CHECK(scope("", "static") == ListenScope::as_given);
  CHECK(scope("listen=endpoint", "static") == ListenScope::endpoint);
  CHECK(scope("listen=any", "static") == ListenScope::any);
  LaunchOptions alone;
  alone.rdzv_conf = "listen=any";
  CHECK(std::get<LocalStore>(plan_store(alone, "fresh")).listen == ListenScope::any);
  alone.standalone = true;
  CHECK(std::get<LocalStore>(plan_store(alone, "fresh")).listen == ListenScope::here);
  CHECK_THROWS_WITH(scope("listen=all", "c10d"), Catch::Contains("endpoint or any"));
}

TEST_CASE("a store at localhost is warned of where several nodes are to meet there, and nowhere else") {
  const auto warned = [](const std::string& backend, const std::string& endpoint, NodeRange nodes,
                         const std::string& conf = {}) {
    LaunchOptions options;
    options.rdzv_conf = conf;
    options.rdzv_backend = backend;
    options.rdzv_endpoint = endpoint;
    options.nnodes = nodes;
    const mdl::test::StderrCapture captured;
    plan_store(options, "fresh");
    return captured.text().find("other hosts cannot reach it") != std::string::npos;
  };
  CHECK(warned("c10d", "localhost:29400", {2, 2}));
  CHECK(warned("c10d", "", {1, 4}));
  CHECK(warned("c10d", "127.0.1.1", {2, 2}));
  CHECK(warned("c10d", "[::1]:29400", {2, 2}));
  CHECK(warned("static", "", {2, 2}));
  CHECK(warned("static", "localhost:29500", {2, 2}));
  CHECK_FALSE(warned("c10d", "localhost:29400", {1, 1}));
  CHECK_FALSE(warned("static", "", {1, 1}));
  CHECK_FALSE(warned("c10d", "node1:29400", {2, 2}));
  CHECK_FALSE(warned("c10d", "localhost:29400", {2, 2}, "is_host=0"));
  CHECK_FALSE(warned("c10d", "127.example.com", {2, 2}));
}
