#include "launcher/machine/program_file.hpp"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "tests/temp_dir.hpp"

using namespace mdl;
using namespace mdl::launcher::machine;
using Catch::Contains;

namespace {

struct Folder {
  test::TempDir dir;

  std::string add(const std::string& content) {
    const std::string path = dir.path() / "program";
    std::ofstream(path, std::ios::binary) << content;
    return path;
  }
  ProgramFile look(const std::string& content) { return look_at_program(add(content)).value(); }
  std::string problem(const std::string& content) {
    const auto obstacle = start_obstacle(add(content), "/nowhere:/bin:/usr/bin");
    return obstacle ? obstacle->problem + "\n" + obstacle->advice : "";
  }
};

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("a compiled program is told from a script, and from an archive that python runs") {
  Folder folder;
  const std::string program = bytes_of("/proc/self/exe");
  CHECK(look_at_program("/proc/self/exe")->is_not_for_python());
  CHECK(folder.look(program.substr(0, 100)).is_not_for_python());
  CHECK_FALSE(folder.look(program + "PK\x05\x06" + std::string(18, '\0')).is_not_for_python());
  CHECK_FALSE(folder.look("import torch\n").is_not_for_python());
  CHECK_FALSE(look_at_program(folder.dir.path() / "gone"));
  CHECK_FALSE(look_at_program(folder.dir.path()));
  const std::string pipe = folder.dir.path() / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK_FALSE(look_at_program(pipe));  // and does not wait for somebody who writes
  CHECK_FALSE(look_at_program(folder.add("")));
}

TEST_CASE("a first line that names python, in any way, is Python's") {
  Folder folder;
  for (const char* line :
       {"#!/usr/bin/python3\n", "#! /opt/venv/bin/python3.11 -u\n", "#!/usr/bin/env python\r\n",
        "#!/usr/bin/env -S uv run --script\n", "#!/usr/bin/env -S FOO=1 pypy3\n", "print(1)\n", "#!\n"}) {
    CAPTURE(line);
    CHECK_FALSE(folder.look(line).names_another_interpreter());
  }
  for (const char* line :
       {"#!/bin/bash\n", "#!/bin/sh", "#!/usr/bin/env bash\n", "#!/bin/bash\r\n", "#!/usr/bin/env node\n"}) {
    CAPTURE(line);
    CHECK(folder.look(line).names_another_interpreter());
  }
}

TEST_CASE("an interpreter that is not there is named, also one that env would look for") {
  Folder folder;
  CHECK_THAT(folder.problem("#!/no/such/python3 -u\nx"), Contains("the interpreter /no/such/python3,"));
  CHECK_THAT(folder.problem("#!/usr/bin/env no-such-python\n"), Contains("the interpreter no-such-python,"));
  CHECK_THAT(folder.problem("#!/usr/bin/env -S no-such-python -u\n"), Contains("the interpreter no-such-python,"));
  for (const char* fine : {"#!/bin/sh\n", "#! /bin/sh -e\n", "#!/usr/bin/env sh\n", "#!/usr/bin/env -S sh -e\n",
                           "#!/usr/bin/env -i no-such\n", "echo\n", "", "#!\n", "#!/bin/sh"}) {
    CAPTURE(fine);
    CHECK(folder.problem(fine).empty());
  }
}

TEST_CASE("the line ends of Windows are named as what keeps a script from starting") {
  Folder folder;
  for (const char* line : {"#!/bin/bash\r\necho\r\n", "#!/usr/bin/env sh\r\n"}) {
    CAPTURE(line);
    CHECK_THAT(folder.problem(line), Contains("carriage return") && Contains("sed -i"));
    CHECK_THAT(folder.problem(line), !Contains("\r"));
  }
}

TEST_CASE("a compiled program for another C library is told with the loader it needs") {
  Folder folder;
  std::string program = bytes_of("/bin/true");
  const std::size_t loader = program.find("/lib64/ld-linux");
  if (loader == std::string::npos) {
    return;  // a machine whose programs have another loader
  }
  CHECK(folder.problem(program).empty());
  program.replace(loader, 6, "/lib99");
  CHECK_THAT(folder.problem(program), Contains("the loader /lib99/ld-linux") && Contains("another system"));
  CHECK(folder.problem(program.substr(0, 70)).empty());  // cut short: no claim
}
