#include "worker/distributed/control_plane.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <torch/csrc/distributed/c10d/control_plane/WorkerServer.hpp>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "common/unique_fd.hpp"
#include "tests/temp_dir.hpp"

using namespace mdl;
using namespace mdl::test;
using namespace mdl::worker;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

process::Lookup variable_at(const fs::path& path) {
  return [path](const char* name) {
    return std::string(name) == "TORCH_WORKER_SERVER_SOCKET" ? std::optional(path.string()) : std::nullopt;
  };
}

/// What the server at `path` answers to GET.
std::string answer_of(const fs::path& path, const std::string& target) {
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  REQUIRE(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  const std::string request = "GET " + target + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  REQUIRE(::send(fd.get(), request.data(), request.size(), 0) == static_cast<ssize_t>(request.size()));
  std::string answer;
  char buffer[4096];
  for (ssize_t got = 1; got > 0;) {
    got = ::recv(fd.get(), buffer, sizeof buffer, 0);
    if (got > 0) { answer.append(buffer, static_cast<std::size_t>(got)); }
  }
  return answer;
}

}  // namespace

TEST_CASE("torch's server answers at the socket that the environment names, until it is not found any longer") {
  const TempDir dir;
  const fs::path path = dir.path() / "server";
  {
    const distributed::ControlPlane plane(variable_at(path));
    CHECK_THAT(answer_of(path, "/handler/"), Catch::StartsWith("HTTP/1.1 200") && Contains("fr_trace_json"));
  }
  CHECK_FALSE(fs::exists(path));
}

TEST_CASE("without the variable there is no server, and where it cannot be the run goes on") {
  const TempDir dir;
  {
    const distributed::ControlPlane plane([](const char*) { return std::nullopt; });
  }
  const fs::path taken = dir.path() / "taken";
  std::ofstream(taken) << "somebody's";
  { const distributed::ControlPlane plane(variable_at(taken)); }
  CHECK(fs::file_size(taken) == 10);
  { const distributed::ControlPlane plane(variable_at(dir.path() / std::string(200, 'x'))); }
  { const distributed::ControlPlane plane(variable_at("/no/such/folder/server")); }
}

TEST_CASE("torch's server fits well into the memory that we declare for it") {
  using c10d::control_plane::WorkerServer;
  constexpr unsigned char kUntouched = 0xa5;
  const TempDir dir;
  alignas(WorkerServer) static unsigned char memory[4 * sizeof(WorkerServer)];  // its threads live on
  std::fill(std::begin(memory), std::end(memory), kUntouched);
  ::new (memory) WorkerServer((dir.path() / "server").string());
  CHECK_THAT(answer_of(dir.path() / "server", "/"), Contains("200"));
  const auto last =
      std::find_if(std::rbegin(memory), std::rend(memory), [](unsigned char byte) { return byte != kUntouched; });
  const auto size = static_cast<std::size_t>(std::rend(memory) - last);
  CAPTURE(size);
  CHECK((size > 100 && size < sizeof(WorkerServer) / 4));
}
