#pragma once

#include <memory>
#include <optional>

#include "launcher/doctor_deep/node_measurer.hpp"
#include "rendezvous/server/tcp_store_server.hpp"

namespace mdl::launcher::doctor_deep {

/// Measures by `mdl-toolkit health`. Has an event loop of its own, which runs only within measure(). A stop signal that
/// comes there (SIGINT, SIGTERM, SIGHUP, SIGQUIT) ends the programs, and then this process.
class ToolkitMeasurer : public NodeMeasurer {
 public:
  /// Beyond the limit of the measuring itself: for a cold LibTorch to be loaded.
  static constexpr std::chrono::milliseconds kForLoading{3000};

  /// `command` without --json and --seconds.
  explicit ToolkitMeasurer(HealthCommand command, std::chrono::milliseconds for_loading = kForLoading);
  ~ToolkitMeasurer() override;

  std::uint16_t open_store(const std::string& address) override;
  NodeHealth measure(const HealthRanks& ranks, std::chrono::seconds limit, const std::vector<int>& others) override;

 private:
  asio::awaitable<void> follow(HealthPrograms& programs, const std::vector<int>& others,
                               std::chrono::milliseconds limit, const std::optional<int>& stopped);

  const HealthCommand command_;
  const std::chrono::milliseconds for_loading_;
  asio::io_context io_;
  loop::Notifier changed_;  ///< outlived by the loop, but not by its coroutines
  std::optional<rendezvous::server::TcpStoreServer> store_;
};

}  // namespace mdl::launcher::doctor_deep
