#include "launcher/doctor/checks.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>

using namespace mdl;
using namespace mdl::launcher::doctor;
using Catch::Contains;
using Level = Finding::Level;

namespace {

/// A healthy node of a healthy job of two nodes with 8 GPUs each; every test spoils one thing.
NodeFacts healthy(const std::string& host, int rank) {
  NodeFacts node;
  node.host = host;
  node.rank = rank;
  node.gpus = 8;
  node.gpu_names.assign(8, "NVIDIA H100");
  node.driver_version = "570.1";
  node.cuda_visible_devices = "unset";
  node.cores = 64;
  node.shared_memory_bytes = 64ull << 30;
  node.open_files = 65536;
  node.omp_threads = "4";
  node.interfaces = {{"lo", "127.0.0.1", true},
                     {"docker0", "172.17.0.1", false},
                     {"eth0", "10.0.0." + std::to_string(rank + 1), false}};
  node.host_address = "10.0.0." + std::to_string(rank + 1);
  node.program = "/usr/bin/mdl-toolkit";
  node.libtorch_version = "2.15.0";
  node.nccl_version = "2.27.5";
  node.endpoint = {
      "node1", 29500, {"10.0.0.1"}, "", rank == 0, rank == 0 ? EndpointState::free : EndpointState::reached, "", ""};
  node.paths = {{"--output", "/data/out", true, true, "", 1ull << 40}};
  return node;
}

JobSpec two_nodes() {
  JobSpec job;
  job.nodes = 2;
  job.processes_here = 8;
  job.node_rank = 0;
  job.wants_gpus = true;
  job.host = "node1";
  job.port = 29500;
  job.no_python = true;
  job.program = {"mdl-toolkit", "train"};
  return job;
}

std::vector<Finding> after(const std::function<void(JobSpec&, std::vector<NodeFacts>&)>& spoil) {
  JobSpec job = two_nodes();
  std::vector<NodeFacts> nodes{healthy("node1", 0), healthy("node2", 1)};
  spoil(job, nodes);
  return examine(job, nodes);
}

/// The only finding that is not ok.
Finding complaint(const std::vector<Finding>& findings) {
  std::vector<Finding> complaints;
  for (const Finding& finding : findings) {
    if (finding.level != Level::ok) { complaints.push_back(finding); }
  }
  REQUIRE(complaints.size() == 1);
  CHECK_FALSE(complaints[0].advice.empty());
  return complaints[0];
}

void expect(const Finding& finding, Level level, const std::string& check, const std::string& words) {
  CHECK(finding.level == level);
  CHECK(finding.check == check);
  CHECK_THAT(finding.text, Contains(words));
}

}  // namespace

TEST_CASE("a healthy job has nothing to complain of") {
  auto findings = after([](auto&, auto&) {});
  for (const Finding& finding : findings) { CHECK(finding.level == Level::ok); }
  CHECK_FALSE(would_fail(findings));
  CHECK(findings.size() >= 14);
}

TEST_CASE("a name that does not resolve fails the job") {
  auto finding = complaint(after([](auto&, auto& nodes) {
    nodes[1].endpoint.addresses.clear();
    nodes[1].endpoint.resolve_error = "Name or service not known";
  }));
  expect(finding, Level::fail, "endpoint", "node1 does not resolve");
  CHECK(finding.node == "node2");
}

TEST_CASE("an endpoint that no node owns fails the job, and behind translation rank 0 may not know its address") {
  auto findings = after([](auto& job, auto& nodes) {
    job.node_rank = -1;
    job.backend = "c10d";
    nodes[0].endpoint.owned = false;
  });
  expect(complaint(findings), Level::fail, "endpoint owner", "no node of the job has the address of node1");
}

TEST_CASE("the endpoint's port is taken, refused or unreachable") {
  expect(complaint(after([](auto&, auto& nodes) { nodes[0].endpoint.state = EndpointState::taken; })), Level::fail,
         "endpoint", "another program");
  expect(complaint(after([](auto&, auto& nodes) {
           nodes[0].endpoint.state = EndpointState::taken;
           nodes[0].endpoint.holder = "nginx (process 77)";
         })),
         Level::fail, "endpoint", "port 29500 of this machine is taken by nginx (process 77)");
  expect(complaint(after([](auto&, auto& nodes) { nodes[1].endpoint.state = EndpointState::refused; })), Level::warning,
         "endpoint", "nothing listens");
  auto finding = complaint(after([](auto&, auto& nodes) {
    nodes[1].endpoint.state = EndpointState::unreachable;
    nodes[1].endpoint.error = "No route to host";
  }));
  expect(finding, Level::fail, "endpoint", "No route to host");
}

TEST_CASE("localhost is not one node of several") {
  auto findings = after([](auto&, auto& nodes) {
    for (auto& node : nodes) { node.endpoint.addresses = {"127.0.0.1"}; }
  });
  expect(complaint(findings), Level::warning, "endpoint owner", "each machine itself");
}

TEST_CASE("a node that did not come, cannot connect, or has another time is named") {
  expect(complaint(after([](auto&, auto& nodes) { nodes.pop_back(); })), Level::warning, "nodes", "1 of 2 nodes");
  expect(complaint(after(
             [](auto&, auto& nodes) { nodes[1].unreachable = {"node1 (10.0.0.1:40000): Connection timed out"}; })),
         Level::fail, "connections", "cannot connect to node1");
  expect(complaint(after([](auto&, auto& nodes) { nodes[1].clock_ahead_s = -7; })), Level::warning, "clock",
         "7.0 s behind");
}

TEST_CASE("GPUs that are missing, too few, or idle") {
  expect(complaint(after([](auto&, auto& nodes) { nodes[1].gpus = 0; })), Level::fail, "GPUs", "no NVIDIA GPU");
  expect(complaint(after([](auto&, auto& nodes) { nodes[1].gpus = 6; })), Level::fail, "GPUs",
         "8 processes would start, but there are 6");
  auto findings = after([](auto& job, auto&) { job.processes_here = 4; });
  auto idle = std::count_if(findings.begin(), findings.end(), [](const Finding& f) { return f.check == "idle GPUs"; });
  CHECK(idle == 2);
  const auto boasting = after([](auto&, auto& nodes) { nodes[1].gpus = 2'000'000'000; });
  const auto found =
      std::find_if(boasting.begin(), boasting.end(), [](const Finding& f) { return f.check == "idle GPUs"; });
  REQUIRE(found != boasting.end());
  CHECK_THAT(found->advice, Catch::Contains("4000000000 would use them all"));
  CHECK_FALSE(would_fail(findings));
  CHECK_FALSE(would_fail(after([](auto& job, auto& nodes) {
    job.use_cpu = true;
    job.processes_here = 4;
    for (auto& node : nodes) { node.gpus = 0; }
  })));
}

TEST_CASE("a driver that is older than LibTorch's CUDA, and no CUDA at all, fail a job for GPUs") {
  const auto with_cuda = [](const std::string& of_driver, const std::string& of_torch) {
    return [=](JobSpec&, std::vector<NodeFacts>& nodes) {
      nodes[1].driver_cuda = of_driver;
      nodes[1].libtorch_cuda = of_torch;
    };
  };
  expect(complaint(after(with_cuda("12.8", "13.2"))), Level::fail, "CUDA",
         "the driver (570.1) runs CUDA up to 12.8, but LibTorch 2.15.0 needs one for CUDA 13");
  expect(complaint(after(with_cuda("13.0", "none"))), Level::fail, "CUDA", "has no CUDA");
  for (const char* enough : {"13.0", "13.2", "14.1", ""}) {
    const auto findings = after(with_cuda(enough, "13.2"));
    CHECK_FALSE(would_fail(findings));
  }
  CHECK_FALSE(would_fail(after([&](JobSpec& job, std::vector<NodeFacts>& nodes) {
    with_cuda("12.8", "none")(job, nodes);
    job.use_cpu = true;
  })));
}

TEST_CASE("different versions of LibTorch or NCCL fail the job, different drivers are worth a look") {
  expect(complaint(after([](auto&, auto& nodes) { nodes[1].launcher_version = "0.0.9"; })), Level::warning,
         "mdl-launch", "node2: 0.0.9");
  expect(complaint(after([](auto&, auto& nodes) { nodes[1].libtorch_version = "2.14.0"; })), Level::fail, "LibTorch",
         "node2: 2.14.0");
  expect(complaint(after([](auto&, auto& nodes) { nodes[1].nccl_version = "2.20.1"; })), Level::fail, "NCCL",
         "node1: 2.27.5");
  expect(complaint(after([](auto&, auto& nodes) { nodes[1].driver_version = "535.1"; })), Level::warning, "driver",
         "535.1");
  expect(complaint(after([](auto&, auto& nodes) { nodes[1].gpu_names.assign(8, "NVIDIA A100"); })), Level::warning,
         "GPU kind", "A100");
}

TEST_CASE("NCCL takes InfiniBand before Ethernet before Docker's bridge before loopback") {
  NodeFacts node = healthy("n", 0);
  CHECK(nccl_interface(node)->name == "eth0");
  node.interfaces.push_back({"ib0", "10.1.0.1", false});
  CHECK(nccl_interface(node)->name == "ib0");
  node.interfaces.resize(2);
  CHECK(nccl_interface(node)->name == "docker0");
  node.interfaces.resize(1);
  CHECK(nccl_interface(node)->name == "lo");
  expect(complaint(after([](auto&, auto& nodes) { nodes[1].interfaces.resize(1); })), Level::fail, "NCCL interface",
         "no network interface but loopback");
}

TEST_CASE("Gloo of PyTorch listens on the address of the machine's name, which may be loopback") {
  auto findings = after([](auto& job, auto& nodes) {
    job.use_cpu = true;
    job.program = {"train.py"};
    nodes[1].host_address = "127.0.1.1";
  });
  auto finding = complaint(findings);
  expect(finding, Level::warning, "Gloo interface", "127.0.1.1");
  CHECK_THAT(finding.advice, Contains("GLOO_SOCKET_IFNAME=eth0"));
}

TEST_CASE("little shared memory, few open files and too many threads are found") {
  expect(complaint(after([](auto&, auto& nodes) { nodes[1].shared_memory_bytes = 64 << 20; })), Level::warning,
         "shared memory", "64 MiB");
  expect(complaint(after([](auto&, auto& nodes) { nodes[1].open_files = 256; })), Level::fail, "open files", "256");
  expect(complaint(after([](auto&, auto& nodes) { nodes[1].open_files = 1024; })), Level::warning, "open files",
         "1024");
  expect(complaint(after([](auto&, auto& nodes) { nodes[1].omp_threads = "16"; })), Level::warning, "threads",
         "more than the 64 CPUs");
  auto finding = complaint(after([](auto& job, auto& nodes) {
    job.use_cpu = true;
    nodes[1].omp_threads = "";
  }));
  expect(finding, Level::warning, "threads", "OMP_NUM_THREADS is not set");
  CHECK_THAT(finding.advice, Contains("OMP_NUM_THREADS=8"));
}

TEST_CASE("a program that is missing or misses libraries, and unusable paths fail the job") {
  expect(complaint(after([](auto&, auto& nodes) {
           nodes[1].program.clear();
           nodes[1].program_error = "mdl-toolkit: no such program in PATH";
         })),
         Level::fail, "program", "no such program");
  expect(complaint(after([](auto&, auto& nodes) { nodes[1].missing_libraries = {"libtorch_cpu.so"}; })), Level::fail,
         "program", "libtorch_cpu.so");
  expect(complaint(after([](auto&, auto& nodes) {
           nodes[1].paths.push_back({"--train-dataset", "/d", false, false, "No such file or directory", 0});
         })),
         Level::fail, "paths", "--train-dataset /d cannot be read");
  expect(complaint(after([](auto&, auto& nodes) { nodes[1].paths[0].free_bytes = 1 << 20; })), Level::warning, "paths",
         "only 1 MiB free");
}

TEST_CASE("what mdl-toolkit says of its libraries is the program's finding, with its advice") {
  const auto findings = after([](auto&, auto& nodes) {
    nodes[1].program_problem = "LibTorch 2.14.0 does not fit";
    nodes[1].program_advice = "pip install";
    nodes[1].missing_libraries = {"libgone.so"};
  });
  expect(complaint(findings), Level::fail, "program", "/usr/bin/mdl-toolkit: LibTorch 2.14.0 does not fit");
}

TEST_CASE("a script where the native mdl-toolkit lies beside it is warned of, and named otherwise") {
  const auto with = [](const std::string& native) {
    return after([&](auto&, auto& nodes) {
      nodes[1].program_kind = "Python's mdl-toolkit, a script";
      nodes[1].native_beside = native;
    });
  };
  const Finding finding = complaint(with("/usr/bin/mdl-toolkit-native"));
  expect(finding, Level::warning, "program", "/usr/bin/mdl-toolkit is Python's mdl-toolkit, a script");
  CHECK_THAT(finding.advice, Contains("/usr/bin/mdl-toolkit-native") && Contains("mdl_toolkit_native-*.whl"));
  const Finding gone = complaint(after([](auto&, auto& nodes) {
    nodes[1].program.clear();
    nodes[1].program_error = "mdl-toolkit: no such program in PATH";
    nodes[1].native_beside = "/usr/bin/mdl-toolkit-native";
  }));
  expect(gone, Level::fail, "program", "no such program in PATH");
  CHECK(gone.advice == finding.advice);
  bool told = false;
  for (const Finding& each : with("")) {
    CHECK(each.level == Level::ok);
    told = told || each.text.starts_with("/usr/bin/mdl-toolkit, Python's mdl-toolkit, a script");
  }
  CHECK(told);
}

TEST_CASE("the cheap checks of every launch have the doctor's words") {
  NodeFacts node = healthy("node1", 0);
  node.endpoint.state = EndpointState::unreachable;  // nobody has tried
  for (const Finding& finding : examine_cheaply(two_nodes(), node)) { CHECK(finding.level == Level::ok); }
  node.endpoint.owned = false;
  expect(complaint(examine_cheaply(two_nodes(), node)), Level::warning, "endpoint owner", "none of its addresses");
  node.endpoint.addresses.clear();
  node.endpoint.resolve_error = "Name or service not known";
  expect(complaint(examine_cheaply(two_nodes(), node)), Level::fail, "endpoint", "does not resolve");
}

TEST_CASE("the state of an endpoint travels by its name, and one that nobody knows means unreachable") {
  for (const char* name : {"none", "free", "taken", "reached", "refused", "unreachable"}) {
    CHECK(nlohmann::json(nlohmann::json(name).get<EndpointState>()) == name);
  }
  CHECK(nlohmann::json("sleeping").get<EndpointState>() == EndpointState::unreachable);
}
