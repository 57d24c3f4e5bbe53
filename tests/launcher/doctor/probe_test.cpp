#include "launcher/doctor/probe.hpp"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "common/error.hpp"
#include "tests/plain_user.hpp"
#include "tests/temp_dir.hpp"

using namespace mdl;
using namespace mdl::launcher::machine;
using namespace mdl::launcher::doctor;
using namespace std::chrono_literals;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

MachineFacts machine(Environment environment = {}, int gpus = 0) {
  return {std::move(environment), [gpus] { return gpus; }, [] { return 4; }, [](int) { return std::nullopt; },
          [] { return 40001; }};
}

JobSpec program(std::vector<std::string> words, bool no_python = true) {
  JobSpec job;
  job.no_python = no_python;
  job.program = std::move(words);
  return job;
}

}  // namespace

TEST_CASE("the loader's listing tells each library and what is missing") {
  auto libraries = parse_library_list(
      "\tlinux-vdso.so.1 (0x1)\n\tlibtorch_cpu.so => /v/torch/lib/libtorch_cpu.so (0x7f)\n\tlibgone.so.2 => not "
      "found\n\t/lib64/ld-linux-x86-64.so.2 (0x2)\n");
  REQUIRE(libraries.size() == 2);
  CHECK(libraries[0].name == "libtorch_cpu.so");
  CHECK(libraries[0].path == "/v/torch/lib/libtorch_cpu.so");
  CHECK(libraries[1].name == "libgone.so.2");
  CHECK_FALSE(libraries[1].path);
}

TEST_CASE("a program is found in PATH, and reasons are given when it is not") {
  mdl::test::TempDir folder;
  fs::path tool = folder.path() / "tool";
  std::ofstream(tool) << "#!/bin/sh\n";
  Environment environment{{"PATH", folder.path().string()}};
  NodeFacts node;
  observe_program(program({"tool"}), environment, node);
  CHECK_THAT(node.program_error, Contains("not executable"));
  fs::permissions(tool, fs::perms::owner_all);
  observe_program(program({"tool"}), environment, node);
  CHECK(node.program == tool.string());
  CHECK(node.program_error.empty());
  observe_program(program({"absent"}), environment, node);
  CHECK_THAT(node.program_error, Contains("no such program in PATH"));
  observe_program(program({"/bin/true"}), environment, node);
  CHECK(node.program == "/bin/true");
  CHECK(node.missing_libraries.empty());
}

TEST_CASE("a script needs python and must be there") {
  NodeFacts node;
  observe_program(program({"/nowhere/train.py"}, false), {{"PATH", "/usr/bin:/bin"}, {"PYTHON_EXEC", "/bin/true"}},
                  node);
  CHECK_THAT(node.program_error, Contains("/nowhere/train.py: no such script"));
}

TEST_CASE("paths of the worker's options are tried, for reading or for writing") {
  mdl::test::TempDir folder;
  std::string base = folder.path().string();
  auto paths = observe_paths({"mdl-toolkit", "train", "--train-dataset", base, "--eval_dataset=" + base + "/gone",
                              "--model-name", "mispeech/midashenglm-7b", "--output", base + "/new/deep"});
  REQUIRE(paths.size() == 3);
  CHECK(paths[0].usable);
  CHECK_FALSE(paths[1].usable);
  CHECK(paths[1].option == "--eval-dataset");
  CHECK(paths[2].usable);
  CHECK(paths[2].for_writing);
  CHECK(paths[2].free_bytes > 0);
  CHECK_FALSE(observe_paths({"p", "--output", "/bin/true/x"})[0].usable);
  paths =
      observe_paths({"mdl-toolkit", "train", "--train-dataset", base + ":0.7", "--train-dataset=" + base + "/b:0.3"});
  REQUIRE(paths.size() == 2);
  CHECK(paths[0].usable);
  CHECK(paths[1].path == base + "/b");
}

TEST_CASE("this machine can be observed, and the facts survive the way through JSON") {
  JobSpec job = program({"/bin/true"});
  job.host = "localhost";
  job.port = 29500;
  NodeFacts node = observe_node(job, machine({{"NCCL_SOCKET_IFNAME", "eth9"}}, 3));
  CHECK_FALSE(node.host.empty());
  CHECK(node.gpus == 3);
  CHECK(node.nccl_interfaces == "eth9");
  CHECK(node.endpoint.owned);
  CHECK_FALSE(node.interfaces.empty());
  auto copy = nlohmann::json(node).get<NodeFacts>();
  CHECK(nlohmann::json(copy) == nlohmann::json(node));
}

TEST_CASE("the version of NCCL is that of the library which the program would load") {
  NodeFacts node;
  observe_program(program({MDL_BIN_DIR "/nccl_program"}), {}, node);
  CHECK(node.program_error.empty());
  CHECK(node.missing_libraries.empty());
  CHECK(node.nccl_version == "2.98.7");
  observe_program(program({"/bin/true"}), {}, node = NodeFacts());
  CHECK(node.nccl_version.empty());
}

TEST_CASE("of a program named mdl-toolkit it is known whose it is, and where the native one lies") {
  mdl::test::TempDir folder;
  const fs::path script = folder.path() / "mdl-toolkit", native = folder.path() / "mdl-toolkit-native";
  const auto observed = [&](const std::string& text) {
    std::ofstream(script) << text;
    fs::permissions(script, fs::perms::owner_all);
    NodeFacts node;
    observe_program(program({"mdl-toolkit"}), {{"PATH", folder.path()}}, node);
    CHECK(node.program == script);
    return node;
  };
  const std::string of_python = "#!/venv/bin/python\nimport sys\nfrom mdl_toolkit.cli import main\nsys.exit(main())\n";
  CHECK(observed(of_python).program_kind == "Python's mdl-toolkit, a script");
  CHECK(observed(of_python).native_beside.empty());
  std::ofstream(native) << "no program";
  fs::permissions(native, fs::perms::owner_all);
  CHECK(observed(of_python).native_beside.empty());
  fs::remove(native);
  fs::copy_file("/bin/true", native);
  CHECK(observed(of_python).native_beside == native);
  CHECK(observed("#!/bin/sh\nexit 1\n").program_kind == "a script, not the native mdl-toolkit");
  CHECK(is_toolkit("/x/mdl-toolkit-native"));
  CHECK_FALSE(is_toolkit("/x/my-mdl-toolkit"));
}

TEST_CASE("a file that the system would not start is a problem of the program") {
  mdl::test::TempDir folder;
  const fs::path file = folder.path() / "mdl-toolkit";
  const auto problem_of = [&](const std::string& bytes, std::uintmax_t size = 0) {
    std::ofstream(file, std::ios::binary) << bytes;
    if (size > 0) { fs::resize_file(file, size); }
    fs::permissions(file, fs::perms::owner_all);
    NodeFacts node;
    observe_program(program({file}), {}, node);
    return node.program_problem;
  };
  const std::string neither = "it is neither a whole program nor a script";
  std::ifstream stream("/bin/true", std::ios::binary);
  const std::string whole{std::istreambuf_iterator<char>(stream), {}};
  CHECK_THAT(problem_of(""), Contains(neither));
  CHECK_THAT(problem_of("", 50ull << 30), Contains(neither));
  CHECK_THAT(problem_of("\x7f"
                        "ELF" +
                        std::string(4000, 'x')),
             Contains(neither));
  CHECK_THAT(problem_of(whole.substr(0, whole.size() / 4)), Contains(neither));
  CHECK_THAT(problem_of(whole.substr(0, 100)), Contains(neither));
  CHECK_THAT(problem_of("echo hello\n"), Contains(neither));
  CHECK(problem_of(whole).empty());
  CHECK(problem_of("#!/bin/sh\n").empty());
  fs::permissions(file, fs::perms::owner_exec | fs::perms::group_exec | fs::perms::others_exec);
  const mdl::test::PlainUser user({folder.path()});
  NodeFacts node;
  observe_program(program({file}), {}, node);
  CHECK_THAT(node.program_problem, Contains("cannot be read"));
  observe_program(program({file}, false), {{"PATH", "/usr/bin:/bin"}, {"PYTHON_EXEC", "/bin/true"}}, node = {});
  CHECK_THAT(node.program_error, Contains("cannot be read"));
}

TEST_CASE("the native program is found in PATH where its other name is gone, and a FIFO of its name is not opened") {
  mdl::test::TempDir folder, other;
  const fs::path native = folder.path() / "mdl-toolkit-native", script = folder.path() / "mdl-toolkit";
  fs::copy_file("/bin/true", native);
  const auto observed = [&](const std::string& name) {
    NodeFacts node;
    observe_program(program({name}), {{"PATH", other.path().string() + ":" + folder.path().string()}}, node);
    return node;
  };
  CHECK(observed("mdl-toolkit").program.empty());
  CHECK(observed("mdl-toolkit").native_beside == native);
  CHECK(observed("other").native_beside.empty());
  std::ofstream(script) << "#!/bin/sh\n";
  fs::permissions(script, fs::perms::owner_all);
  fs::remove(native);
  REQUIRE(::mkfifo(native.c_str(), 0700) == 0);
  CHECK(observed("mdl-toolkit").program == script);
  CHECK(observed("mdl-toolkit").native_beside.empty());
}

TEST_CASE("libraries that the loader would miss are named") {
  mdl::test::TempDir folder;
  std::ifstream stream(MDL_BIN_DIR "/nccl_program", std::ios::binary);
  std::string program_bytes{std::istreambuf_iterator<char>(stream), {}};
  const std::string needed = "libnccl.so.2";
  program_bytes.replace(program_bytes.find(needed), needed.size(), "libnccl.so.9");
  const fs::path copy = folder.path() / "program";
  std::ofstream(copy, std::ios::binary) << program_bytes;
  fs::permissions(copy, fs::perms::owner_all);
  NodeFacts node;
  observe_program(program({copy}), {}, node);
  CHECK(node.missing_libraries == std::vector<std::string>{"libnccl.so.9"});
}

TEST_CASE("every fact of a node survives the way through JSON") {
  NodeFacts node;
  node.host = "node7";
  node.rank = 3;
  node.launcher_version = "1.0";
  node.gpus = 2;
  node.gpu_names = {"A", "B"};
  node.driver_version = "570";
  node.driver_cuda = "12.8";
  node.cuda_visible_devices = "0,1";
  node.cores = 9;
  node.shared_memory_bytes = 1ull << 40;
  node.open_files = 77;
  node.omp_threads = "4";
  node.interfaces = {{"eth0", "10.0.0.1", false}, {"lo", "127.0.0.1", true}};
  node.nccl_interfaces = "eth1";
  node.gloo_interfaces = "eth2";
  node.host_address = "10.0.0.2";
  node.program = "/bin/prog";
  node.program_kind = "native";
  node.native_beside = "/bin/native";
  node.program_error = "none";
  node.missing_libraries = {"libgone.so"};
  node.program_problem = "does not fit";
  node.program_advice = "pip install";
  node.libtorch_version = "2.15";
  node.libtorch_cuda = "13.2";
  node.nccl_version = "2.27";
  node.endpoint = {"node1", 29500, {"10.0.0.1"}, "no such name", true, EndpointState::taken, "in use", "nginx"};
  node.paths = {{"--output", "/data", true, true, "full", 5}, {"--train-dataset", "/in", false, false, "gone", 0}};
  node.clock_ahead_s = -1.5;
  node.unreachable = {"node2"};
  node.deep_ranks = 8;
  node.health.problem = "one hangs";
  node.health.ranks.resize(2);
  node.health.ranks[1].all_reduce = {std::nullopt, "rank 3 is gone"};
  const nlohmann::json blank = NodeFacts();
  const nlohmann::json sent = node;
  for (const auto& [name, value] : sent.items()) {
    INFO(name);
    CHECK(value != blank.at(name));
  }
  const auto copy = sent.get<NodeFacts>();
  CHECK(nlohmann::json(copy) == sent);
  REQUIRE(copy.paths.size() == 2);
  CHECK(copy.paths[0].option == "--output");
  CHECK(copy.paths[0].path == "/data");
  CHECK(copy.paths[0].for_writing);
  CHECK(copy.paths[0].usable);
  CHECK(copy.paths[0].error == "full");
  CHECK(copy.paths[0].free_bytes == 5);
  CHECK_FALSE(copy.paths[1].usable);
}
