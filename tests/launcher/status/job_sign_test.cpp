#include "launcher/status/job_sign.hpp"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <fstream>
#include <future>
#include <iterator>
#include <nlohmann/json.hpp>

#include "common/unique_fd.hpp"
#include "launcher/status/job_finder.hpp"
#include "launcher/status/job_list.hpp"

using namespace mdl;
using namespace mdl::launcher;
using namespace mdl::launcher::status;
using namespace std::chrono_literals;
using Names = std::vector<std::string>;

namespace {

SignedJob sign_of(const std::string& run_id) {
  SignedJob job;
  job.run_id = run_id;
  job.store = Endpoint("127.0.0.1", 34511);
  job.secret = std::string(64, 'a');
  return job;
}

/// Asked from another thread, while the loop of the agent runs.
std::vector<SignedJob> found_while_running(asio::io_context& io, const std::string& run_id) {
  auto finding = std::async(std::launch::async, [] { return find_jobs(); });
  while (finding.wait_for(0s) != std::future_status::ready) { io.run_one_for(5ms); }
  std::vector<SignedJob> jobs = finding.get();
  std::erase_if(jobs, [&](const SignedJob& job) { return job.run_id != run_id; });  // others of this user may run
  return jobs;
}

Names signs() {
  std::ifstream file("/proc/net/unix");
  const std::string table{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  return abstract_names(table, sign_prefix());
}

/// Not where the tests run as another user than root, nor in a user namespace that has only one.
bool can_be_another_user() {
  const pid_t child = ::fork();
  if (child == 0) { ::_exit(::setresuid(65534, 65534, 65534) == 0 ? 0 : 1); }
  int status = 1;
  ::waitpid(child, &status, 0);
  return ::geteuid() == 0 && status == 0;
}

/// How many bytes the agent at an abstract socket tells this process.
ssize_t bytes_told(const std::string& name) {
  const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval limit{20, 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + 1, name.data(), name.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0) { return -1; }
  char bytes[64];
  return ::recv(socket.get(), bytes, sizeof bytes, 0);
}

}  // namespace

TEST_CASE("what an agent tells of its job comes back as it was, and nothing else does") {
  SignedJob job = sign_of("a \x1b\"1");
  job.secret_file = "/etc/job.secret";
  CHECK(signed_job_from_text(to_text(job)) == job);
  for (const char* text :
       {"", "[]", "{}", "{\"version\": 2}", "{\"version\": 1, \"job\": \"a\", \"host\": \"b\"}",
        "{\"version\": 1, \"job\": \"a\", \"host\": \"b\", \"port\": 70000}",
        "{\"version\": 1, \"job\": 1, \"host\": \"b\", \"port\": 7}", "{\"version\": 1, \"job\": \"a\", \"port\": 7}",
        "{\"version\": 1, \"job\": \"a\", \"host\": \"b\", \"port\": 65536}"}) {
    CAPTURE(text);
    CHECK_FALSE(signed_job_from_text(text));
  }
  job.store.port = 65535;
  const std::string text = to_text(job);
  CHECK(signed_job_from_text(text + std::string(kLargestSign - text.size(), ' ')) == job);
  CHECK_FALSE(signed_job_from_text(text + std::string(kLargestSign - text.size() + 1, ' ')));
}

TEST_CASE("a job is found by other processes of its user for as long as its agent lives") {
  asio::io_context io;
  const std::string run_id = "sign-" + std::to_string(::getpid());
  std::optional<JobSign> sign(std::in_place, io, sign_of(run_id));
  const JobSign other_agent(io, sign_of(run_id));
  const auto jobs = found_while_running(io, run_id);
  REQUIRE(jobs.size() == 1);
  CHECK((jobs[0].pid == ::getpid() && jobs[0].secret == std::string(64, 'a') && jobs[0].store.port == 34511));
  sign.reset();
  CHECK(found_while_running(io, run_id).size() == 1);
}

TEST_CASE("another user is told nothing of a job") {
  if (!can_be_another_user()) {
    WARN("left out: no other user can be made up here");
    return;
  }
  asio::io_context io;
  const Names before = signs();
  const JobSign sign(io, sign_of("foreign-" + std::to_string(::getpid())));
  Names after = signs();
  std::erase_if(after, [&](const std::string& name) { return std::binary_search(before.begin(), before.end(), name); });
  REQUIRE(!after.empty());  // agents of others may have come meanwhile, and tell nothing either
  const auto told_to = [&](uid_t user) {
    const pid_t child = ::fork();
    if (child == 0) {
      const bool changed = ::setresuid(user, user, user) == 0;
      ::_exit(changed ? static_cast<int>(bytes_told(after.front()) > 0) : 2);
    }
    int status = 0;
    while (::waitpid(child, &status, WNOHANG) == 0) { io.run_one_for(5ms); }
    return WEXITSTATUS(status);
  };
  const bool is_ours = after.size() == 1;
  CHECK(told_to(65534) == 0);
  if (is_ours) { CHECK(told_to(0) == 1); }
}

TEST_CASE("what another user says at a name of this user's is believed by nobody") {
  if (!can_be_another_user()) {
    WARN("left out: no other user can be made up here");
    return;
  }
  const std::string run_id = "taken-" + std::to_string(::getpid());
  const std::string name = sign_prefix() + run_id, text = to_text(sign_of(run_id));
  const auto says_as = [&](uid_t user) {
    const UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path + 1, name.data(), name.size());
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
    REQUIRE(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), size) == 0);
    const pid_t child = ::fork();
    if (child == 0) {  // the kernel tells of whom listen() was called by
      const bool listens = ::setresuid(user, user, user) == 0 && ::listen(listener.get(), 16) == 0;
      ::_exit(listens ? 0 : 1);
    }
    int status = 1;
    ::waitpid(child, &status, 0);
    REQUIRE(status == 0);
    auto finding = std::async(std::launch::async, [] { return find_jobs(); });
    while (finding.wait_for(1ms) != std::future_status::ready) {
      const UniqueFd asker(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (asker) { (void)::send(asker.get(), text.data(), text.size(), MSG_NOSIGNAL); }
    }
    const std::vector<SignedJob> jobs = finding.get();
    return std::ranges::count(jobs, run_id, &SignedJob::run_id);
  };
  CHECK(says_as(65534) == 0);
  CHECK(says_as(0) == 1);
}

TEST_CASE("abstract sockets are known by their names in what the kernel lists") {
  const std::string table =
      "Num       RefCount Protocol Flags    Type St Inode Path\n"
      "0000000000000000: 00000002 00000000 00010000 0001 01 47110 @mdl-launch.job/0/aa\n"
      "0000000000000000: 00000003 00000000 00000000 0001 03 47111 @mdl-launch.job/0/aa\n"
      "0000000000000000: 00000002 00000000 00010000 0001 01 47112 @mdl-launch.job/00/bb\n"
      "0000000000000000: 00000002 00000000 00010000 0001 01 47113 /run/mdl-launch.job/0/cc\n"
      "0000000000000000: 00000002 00000000 00010000 0001 01 47114\n"
      "0000000000000000: 00000002 00000000 00010000 0001 01 47115 @mdl-launch.job/0/dd\n";
  CHECK(abstract_names(table, "mdl-launch.job/0/") == Names{"mdl-launch.job/0/aa", "mdl-launch.job/0/dd"});
  CHECK(abstract_names("", "x").empty());
}

TEST_CASE("several agents of one job on one machine are one job, by whatever name they call the machine") {
  SignedJob host = sign_of("j");
  SignedJob guest = host;
  guest.store.host = "localhost";
  SignedJob other = host;
  other.run_id = "k";
  SignedJob remote = host;
  remote.store.host = "192.0.2.77";
  CHECK(without_repetition({remote, guest, other, host}) == std::vector<SignedJob>{host, remote, other});
}

TEST_CASE("a list of jobs has the words by which each is shown") {
  SignedJob job = sign_of("a\x1b[2J");
  job.pid = 47;
  job.script = "train\x1b[2J.py";
  CHECK(format_jobs({job, sign_of("long-name")}) ==
        "2 jobs of yours run on this machine:\n"
        "  --rdzv-id a          --rdzv-endpoint 127.0.0.1:34511  (train.py, pid 47)\n"
        "  --rdzv-id long-name  --rdzv-endpoint 127.0.0.1:34511  (pid 0)\n");
  CHECK(format_jobs({sign_of("$(id) x"), sign_of("\u8bad\u7ec3")}) ==  // to be pasted; wide letters take two columns
        "2 jobs of yours run on this machine:\n"
        "  --rdzv-id '$(id) x'  --rdzv-endpoint 127.0.0.1:34511  (pid 0)\n"
        "  --rdzv-id '\u8bad\u7ec3'     --rdzv-endpoint 127.0.0.1:34511  (pid 0)\n");
  const auto told = nlohmann::json::parse(jobs_to_json({job}));
  CHECK(told["jobs"][0] ==
        nlohmann::json{{"job", "a"}, {"endpoint", "127.0.0.1:34511"}, {"pid", 47}, {"script", "train.py"}});
  CHECK(jobs_to_json({job}).find("secret") == std::string::npos);
}
