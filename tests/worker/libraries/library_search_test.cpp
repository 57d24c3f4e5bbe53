#include "worker/libraries/library_search.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <map>

#include "common/error.hpp"
#include "tests/temp_dir.hpp"
#include "tests/worker/libraries/made_packages.hpp"
#include "worker/libraries/program_folder.hpp"
#include "worker/libraries/python_packages.hpp"

using namespace mdl;
using namespace mdl::worker::libraries;
using Catch::Contains;
using mdl::test::make_torch;
using mdl::test::write_file;
namespace fs = std::filesystem;

namespace {

const BuiltFor kBuilt{"2.15.0+cu132", "cu132", "26.0.1", "libarrow.so.2600"};

/// A machine whose programs lie in HOME/env/bin, with a python3 in HOME/other/bin.
class Machine {
 public:
  explicit Machine(std::map<std::string, std::string> variables = {}) : variables_(std::move(variables)) {
    fs::create_directories(path("env/bin"));
    write_file(path("other/pyvenv.cfg"), "home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.11.2\n");
    write_file(path("other/bin/python3"), "#!/bin/sh\nexit 1\n");
    fs::permissions(path("other/bin/python3"), fs::perms::owner_all);
  }

  fs::path path(const std::string& name) const { return fs::canonical(home_.path()) / name; }
  void set(const std::string& name, const std::string& value) { variables_[name] = value; }
  LibrarySearch search() const {
    return {path("env/bin"),
            [this](const char* name) {
              const auto found = variables_.find(name);
              return found == variables_.end() ? std::nullopt : std::optional(found->second);
            },
            kBuilt};
  }

 private:
  test::TempDir home_;
  std::map<std::string, std::string> variables_;
};

constexpr const char* kPackages = "lib/python3.11/site-packages";

}  // namespace

TEST_CASE("LibTorch is looked for in MDL_TORCH, then beside the program, then among the packages of PATH's python3") {
  Machine machine;
  machine.set("PATH", ".::" + machine.path("other/bin").string());
  CHECK_THROWS_WITH(machine.search().torch(), Contains("there is no LibTorch beside") && Contains("nor of PATH's") &&
                                                  Contains("this mdl-toolkit needs 2.15.0+cu132") &&
                                                  Contains("pip install \"torch==2.15.*\""));
  make_torch(machine.path("other") / kPackages, "2.15.1+cu132");
  CHECK(machine.search().torch().version == "2.15.1+cu132");
  make_torch(machine.path("env") / kPackages, "2.15.2+cu132");
  CHECK(machine.search().torch().version == "2.15.2+cu132");
  make_torch(machine.path("env/bin/site-packages"), "2.15.3+cu132");
  CHECK(machine.search().torch().version == "2.15.3+cu132");

  make_torch(machine.path("mine") / kPackages, "2.15.4+cu132");
  const std::string spellings[] = {"mine", std::string("mine/") + kPackages,
                                   std::string("mine/") + kPackages + "/torch"};
  for (const std::string& spelling : spellings) {
    machine.set("MDL_TORCH", machine.path(spelling));
    CHECK(machine.search().torch().version == "2.15.4+cu132");
  }
  machine.set("MDL_TORCH", machine.path("nothing"));
  CHECK_THROWS_WITH(machine.search().torch(),
                    Contains("there is no LibTorch in MDL_TORCH=" + machine.path("nothing").string()));
}

TEST_CASE("a program that is part of a package finds the packages beside it") {
  test::TempDir home;
  const fs::path packages = fs::canonical(home.path()) / "target/site-packages";
  make_torch(packages, "2.15.1+cu132");
  const LibrarySearch search(packages / "mdl_toolkit_native/bin", [](const char*) { return std::nullopt; }, kBuilt);
  CHECK(search.torch().folder == packages / "torch");
}

TEST_CASE("the programs that mdl-toolkit turns into lie beside it, or in our package of its environment") {
  Machine machine;
  const auto folder = [&](const std::string& of) { return program_folder(machine.path(of), "mdl-toolkit-data"); };
  CHECK(folder("env/bin") == machine.path("env/bin"));
  write_file(machine.path("env") / kPackages / "mdl_toolkit_native/mdl-toolkit-data", "");
  CHECK(folder("env/bin") == machine.path("env") / kPackages / "mdl_toolkit_native");
  write_file(machine.path("env/bin/mdl-toolkit-data"), "");
  CHECK(folder("env/bin") == machine.path("env/bin"));

  // pip install --target
  fs::create_directories(machine.path("target/bin"));
  write_file(machine.path("target/mdl_toolkit_native/mdl-toolkit-data"), "");
  make_torch(machine.path("target"), "2.15.7+cu132");
  CHECK(folder("target/bin") == machine.path("target/mdl_toolkit_native"));
  const auto none = [](const char*) { return std::nullopt; };
  CHECK(LibrarySearch(machine.path("target/bin"), none, kBuilt).torch().version == "2.15.7+cu132");
  CHECK(LibrarySearch(machine.path("target/mdl_toolkit_native"), none, kBuilt).torch().version == "2.15.7+cu132");
  fs::permissions(machine.path("target"), fs::perms::others_write, fs::perm_options::add);
  CHECK(folder("target/bin") == machine.path("target/bin"));
}

TEST_CASE("what cannot be started is told with what helps where it was installed") {
  Machine machine;
  const fs::path program = machine.path("env/bin/mdl-toolkit-data");
  CHECK_THAT(advice_to_start(program), Contains("must lie beside mdl-toolkit"));
  write_file(machine.path("env/bin/mdl-toolkit-native"), "");
  CHECK_THAT(advice_to_start(program), Contains("--no-deps mdl_toolkit_native-*.whl`") && !Contains("beside"));
  fs::permissions(machine.path("env"), fs::perms::others_write, fs::perm_options::add);
  CHECK_THAT(advice_to_start(program), Contains("Everybody may write to " + machine.path("env").string()) &&
                                           Contains("`chmod o-w " + machine.path("env").string() + "`"));
  write_file(program, "");
  CHECK_THAT(advice_to_start(program), Contains("chmod a+x") && Contains("noexec"));
}

TEST_CASE("the libraries of our own package are those in its folder lib, of no other program's") {
  Machine machine;
  write_file(machine.path("env/bin/lib/libx.so"), "");
  CHECK(own_libraries(machine.path("env/bin/mdl-toolkit-data")).empty());
  const fs::path package = machine.path("env") / kPackages / "mdl_toolkit_native";
  CHECK(own_libraries(package / "mdl-toolkit-data").empty());
  write_file(package / "lib/libx.so", "");
  CHECK(own_libraries(package / "mdl-toolkit-data") == package / "lib");
}

TEST_CASE("the first place that has a LibTorch decides, and of several there the one that fits") {
  Machine machine;
  machine.set("PATH", machine.path("other/bin"));
  make_torch(machine.path("other") / kPackages, "2.15.1+cu132");
  make_torch(machine.path("env") / kPackages, "2.14.0+cu132");
  CHECK_THROWS_WITH(machine.search().torch(), Contains("LibTorch 2.14.0+cu132") && Contains("does not fit") &&
                                                  Contains("beside " + machine.path("env/bin/mdl-toolkit").string()) &&
                                                  Contains("whose version ends with torch2.14"));
  make_torch(machine.path("env/lib/python3.9/site-packages"), "2.15.2+cu132");
  CHECK(machine.search().torch().version == "2.15.2+cu132");
}

TEST_CASE("a prefix that everybody may write to has no packages of ours") {
  Machine machine;
  make_torch(machine.path("env") / kPackages, "2.15.2+cu132");
  fs::permissions(machine.path("env"), fs::perms::others_write, fs::perm_options::add);
  CHECK_THROWS_WITH(machine.search().torch(), Contains("there is no LibTorch"));
}

TEST_CASE("a python3 that is no environment of its own is asked, away from the current folder") {
  Machine machine;
  const fs::path packages = machine.path("system/packages");
  make_torch(packages, "2.15.5+cu132");
  // It answers as Python does, and leaves its question.
  write_file(machine.path("system/bin/python3"), "#!/bin/sh\necho \"$2\" >" + machine.path("question").string() +
                                                     "\necho " + (packages / "torch").string() + "\n");
  fs::permissions(machine.path("system/bin/python3"), fs::perms::owner_all);
  machine.set("PATH", machine.path("system/bin").string() + ":/usr/bin:/bin");
  CHECK(machine.search().torch().folder == packages / "torch");
  std::ifstream question(machine.path("question"));
  const std::string text{std::istreambuf_iterator<char>(question), {}};
  CHECK_THAT(text, Contains("del sys.path[0]") && Contains("find_spec"));

  machine.set("PATH", machine.path("other/bin"));
  make_torch(machine.path("other") / kPackages, "2.15.1+cu132");
  CHECK(machine.search().torch().version == "2.15.1+cu132");
  machine.set("PYTHONPATH", "/somewhere");  // there may be another torch, which only Python knows; this one fails
  CHECK_THROWS_WITH(machine.search().torch(), Contains("there is no LibTorch"));
}

TEST_CASE("the program's own virtual environment is asked before PATH's python3") {
  Machine machine;
  machine.set("PATH", machine.path("other/bin"));
  make_torch(machine.path("other") / kPackages, "2.15.1+cu132");
  make_torch(machine.path("elsewhere"), "2.15.8+cu132");
  write_file(machine.path("env/bin/python3"), "#!/bin/sh\necho " + machine.path("elsewhere/torch").string() + "\n");
  fs::permissions(machine.path("env/bin/python3"), fs::perms::owner_all);
  CHECK(machine.search().torch().version == "2.15.1+cu132");
  write_file(machine.path("env/pyvenv.cfg"), "include-system-site-packages = false\n");
  CHECK(machine.search().torch().version == "2.15.8+cu132");
}

TEST_CASE("Python is asked in the root folder, without the parts of PYTHONPATH that mean the current one") {
  Machine machine;
  const std::string answer = machine.path("answer");
  write_file(machine.path("other/bin/python3"), "#!/bin/sh\necho \"$PWD $PYTHONPATH\" >" + answer + "\n");
  for (const auto& [given, told] : std::map<std::string, std::string>{
           {"/x:", "/ /x\n"}, {":rel:/x:.:/y", "/ /x:/y\n"}, {"rel", "/ \n"}, {":", "/ \n"}}) {
    CHECK(packages_of_python(machine.path("other/bin/python3"), "torch", given).empty());
    std::ifstream file(answer);
    CHECK(std::string(std::istreambuf_iterator<char>(file), {}) == told);
  }
  CHECK(fs::current_path() != "/");

  const fs::path before = fs::current_path();
  make_torch(machine.path("here"), "2.15.6+cu132");
  write_file(machine.path("here/torch/__init__.py"), "");
  fs::current_path(machine.path("here"));
  for (const std::string given : {"/x:", "", ".", "here"}) {
    ::setenv("PYTHONPATH", given.c_str(), 1);
    for (const fs::path& each : packages_of_python("/usr/bin/python3", "torch", given)) {
      CHECK(each != machine.path("here"));
    }
  }
  ::unsetenv("PYTHONPATH");
  const auto named = packages_of_python("/usr/bin/python3", "torch", machine.path("here"));
  CHECK_THAT(named, Catch::VectorContains(machine.path("here")));
  fs::current_path(before);
}

TEST_CASE("what lies beside the programs is passed over where everybody may write") {
  Machine machine;
  const auto open = [&](const std::string& folder, bool to_all) {
    fs::permissions(machine.path(folder), fs::perms::others_write,
                    to_all ? fs::perm_options::add : fs::perm_options::remove);
  };
  make_torch(machine.path("env/bin/site-packages"), "2.15.3+cu132");
  make_torch(machine.path("lib/site-packages"), "2.15.3+cu132");
  make_torch(machine.path("prefix") / kPackages, "2.15.3+cu132");
  fs::create_directories(machine.path("lib/site-packages/package"));
  fs::create_directories(machine.path("prefix/bin"));
  const std::map<std::string, std::vector<std::string>> all = {
      {"env/bin", {"env/bin", "env/bin/site-packages"}},
      {"lib/site-packages/package", {"lib/site-packages"}},
      {"prefix/bin", {"prefix", "prefix/lib", "prefix/lib/python3.11", std::string("prefix/") + kPackages}}};
  for (const auto& [folder, guarded] : all) {
    CHECK(packages_beside(machine.path(folder)).size() == 1);
    for (const std::string& each : guarded) {
      open(each, true);
      CHECK(packages_beside(machine.path(folder)).empty());
      open(each, false);
    }
  }
  open("prefix", true);
  machine.set("MDL_TORCH", machine.path("prefix"));  // who names it wants it
  CHECK(machine.search().torch().version == "2.15.3+cu132");
}

TEST_CASE("the packages of a free-threaded Python are found") {
  Machine machine;
  make_torch(machine.path("env/lib/python3.14t/site-packages"), "2.15.2+cu132");
  fs::create_directories(machine.path("env/lib/python3.t/site-packages"));
  fs::create_directories(machine.path("env/lib/python3.1tt/site-packages"));
  CHECK(packages_of_prefix(machine.path("env")).size() == 1);
  CHECK(machine.search().torch().version == "2.15.2+cu132");
}

TEST_CASE("Arrow is found by the library's name, and another version is told") {
  Machine machine;
  CHECK_THROWS_WITH(machine.search().arrow(), Contains("there is no pyarrow beside") && Contains("needs pyarrow 26") &&
                                                  Contains("pip install \"pyarrow==26.*\""));
  const fs::path packages = machine.path("env") / kPackages;
  write_file(packages / "pyarrow/libarrow.so.2400", "");
  write_file(packages / "pyarrow-24.0.0.dist-info/METADATA", "");
  CHECK_THROWS_WITH(machine.search().arrow(), Contains("pyarrow 24.0.0 in " + packages.string() +
                                                       " does not fit: this mdl-toolkit was built for pyarrow 26"));
  machine.set("PATH", machine.path("other/bin"));
  write_file(machine.path("other") / kPackages / "pyarrow/libarrow.so.2600", "");
  CHECK(machine.search().arrow() == machine.path("other") / kPackages / "pyarrow");
  machine.set("MDL_TORCH", make_torch(machine.path("mine"), "2.15.0+cu132"));
  write_file(machine.path("mine/pyarrow/libarrow.so.2600"), "");
  CHECK(machine.search().arrow() == machine.path("mine/pyarrow"));
}
