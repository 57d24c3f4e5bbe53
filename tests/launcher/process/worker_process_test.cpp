#include "launcher/process/worker_process.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>

#include "common/unique_fd.hpp"
#include "tests/launcher/process/process_probe.hpp"

using namespace mdl;
using namespace mdl::launcher::process;

namespace {

/// Runs a worker whose stdout and stderr are pipes, and returns what it wrote to each.
std::array<std::string, 2> output_of(const std::string& script) {
  int out[2];
  int err[2];
  REQUIRE(::pipe2(out, O_CLOEXEC) == 0);
  REQUIRE(::pipe2(err, O_CLOEXEC) == 0);
  const StartedProcess worker = start_worker(test::shell(script, out[1], err[1]));
  REQUIRE(worker.error == 0);
  ::close(out[1]);
  ::close(err[1]);
  std::array<std::string, 2> texts;
  const int read_ends[] = {out[0], err[0]};
  for (int i : {0, 1}) {
    const UniqueFd fd(read_ends[i]);
    std::array<char, 4096> buffer{};
    ssize_t n;
    while ((n = ::read(fd.get(), buffer.data(), buffer.size())) > 0) {
      texts[static_cast<std::size_t>(i)].append(buffer.data(), static_cast<std::size_t>(n));
    }
  }
  ::waitpid(worker.pid, nullptr, 0);
  return texts;
}

}  // namespace

TEST_CASE("a worker writes to the descriptors it was given and has no others") {
  const int leaked = ::open("/dev/null", O_RDONLY);  // deliberately without O_CLOEXEC
  const auto [out, err] = output_of("echo out; echo err >&2; ls /proc/self/fd");
  ::close(leaked);
  CHECK(err == "err\n");
  CHECK(out == "out\n0\n1\n2\n3\n");  // 3 is the folder that ls itself reads
}

TEST_CASE("a worker leads a session and a process group of its own") {
  const auto [out, err] = output_of("cut -d' ' -f1,5,6 /proc/$$/stat");
  int pid = 0;
  int group = 0;
  int session = 0;
  REQUIRE(std::sscanf(out.c_str(), "%d %d %d", &pid, &group, &session) == 3);
  CHECK(group == pid);
  CHECK(session == pid);
}

TEST_CASE("a worker starts with default signal handlers, and an ignored SIGHUP stays ignored for nohup") {
  struct sigaction before_pipe{};
  struct sigaction before_hangup{};
  struct sigaction ignore{};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &ignore, &before_pipe);
  ::sigaction(SIGHUP, &ignore, &before_hangup);
  const auto [out, err] = output_of("grep -E 'SigIgn|SigBlk' /proc/self/status");
  ::sigaction(SIGPIPE, &before_pipe, nullptr);
  ::sigaction(SIGHUP, &before_hangup, nullptr);
  CHECK(out == "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000001\n");
}

TEST_CASE("a program that cannot be loaded is an error with its reason, not a worker that exits") {
  WorkerSpec spec = test::shell("true");
  spec.executable = "/nonexistent/program";
  CHECK(start_worker(spec).error == ENOENT);
  spec.executable = "/etc/passwd";
  CHECK(start_worker(spec).error == EACCES);
}
