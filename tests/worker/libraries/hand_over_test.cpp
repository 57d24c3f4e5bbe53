#include "worker/libraries/hand_over.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>

#include "common/command/command_output.hpp"
#include "common/error.hpp"
#include "tests/temp_dir.hpp"

using namespace mdl;
using namespace mdl::worker::libraries;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

const fs::path kProbe = MDL_BIN_DIR "/take_over_probe";

/// What the probe prints when this program, in a child of it, hands over to it in `folder`.
std::string handed_over(const fs::path& folder, const char* of_user) {
  const fs::path output = folder / "output";
  const pid_t child = ::fork();
  if (child == 0) {
    const int file = ::open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ::dup2(file, STDOUT_FILENO);
    if (::chdir(folder.c_str()) != 0) { ::_exit(3); }
    of_user ? ::setenv("LD_LIBRARY_PATH", of_user, 1) : ::unsetenv("LD_LIBRARY_PATH");
    std::string name = "mdl-toolkit", word = "word";
    char* argv[] = {name.data(), word.data(), nullptr};
    hand_over(kProbe, {"/one", "/two"}, argv);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(status == 0);
  std::ifstream stream(output);
  return {std::istreambuf_iterator<char>(stream), {}};
}

}  // namespace

TEST_CASE("the found folders go before the user's, whose empty parts are left out") {
  CHECK(library_path({"/a", "/b"}, nullptr, "/here").text == "/a:/b");
  CHECK(library_path({"/a"}, "", "/here").text == "/a");
  const LibraryPath path = library_path({"/a"}, "/x::rel/y;/z:$LIB/w:", "/here");
  CHECK(path.text == "/a:/x:/here/rel/y:/z:$LIB/w");
  CHECK(path.left_out == 2);
  CHECK(library_path({}, "/x", "/here").left_out == 0);
  for (const char* each : {"/x:y/torch/lib", "/x;y/torch/lib"}) {
    CHECK_THROWS_WITH(library_path({"/a", each}, nullptr, "/here"), Catch::Contains(each));
  }
}

TEST_CASE("a program starts in the root folder with the found libraries, and then sees what mdl-toolkit saw") {
  test::TempDir folder;
  const std::string here = fs::canonical(folder.path());
  const std::string end =
      "\nstart (none)\nfront " + fs::read_symlink("/proc/self/exe").string() + " (none)\narguments 2 word\n";
  CHECK(handed_over(here, "/user/libs") ==
        "at start /\ngiven /one:/two:/user/libs\nthen " + here + "\npath /user/libs" + end);
  CHECK(handed_over(here, nullptr) == "at start /\ngiven /one:/two\nthen " + here + "\npath (none)" + end);
}

TEST_CASE("started by itself, a program leaves the current folder only while its libraries start") {
  const std::string here = fs::current_path();
  CHECK(command::output_of({kProbe}, 10s, {"LD_LIBRARY_PATH=/user/libs"}) ==
        "at start /\ngiven /user/libs\nthen " + here + "\npath /user/libs\nstart (none)\nfront  (none)\narguments 1 " +
            kProbe.string() + "\n");
}
