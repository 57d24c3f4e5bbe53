#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <torch/torch.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdint>
#include <functional>
#include <future>
#include <vector>

#include "worker/distributed/process_group.hpp"

/// A port that nobody listens on.
inline uint16_t free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  REQUIRE(::bind(socket, reinterpret_cast<sockaddr*>(&address), length) == 0);
  ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &length);
  ::close(socket);
  return ntohs(address.sin_port);
}

/// Runs `rank` in a thread for each of two ranks that are joined by Gloo, and rethrows what one throws.
inline void on_two_ranks(const std::function<void(mdl::worker::distributed::ProcessGroup&)>& work) {
  mdl::worker::process::WorkerEnvironment environment;
  environment.world_size = 2;
  environment.local_world_size = 2;
  environment.master_addr = "127.0.0.1";
  environment.master_port = free_port();
  std::vector<std::future<void>> ranks;
  for (int rank = 0; rank < 2; ++rank) {
    environment.rank = environment.local_rank = rank;
    ranks.push_back(std::async(std::launch::async, [&work, environment] {
      mdl::worker::distributed::ProcessGroup group(environment, at::kCPU);
      work(group);
      at::Tensor done = torch::zeros({1});
      group.sum(done);  // rank 0 serves the store: it must not leave first
    }));
  }
  for (auto& rank : ranks) { rank.get(); }
}
