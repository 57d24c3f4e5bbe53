#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "common/expected.hpp"
#include "common/loop/asio.hpp"
#include "launcher/flight/flight_record.hpp"

namespace mdl::launcher::flight {

/// Asks the server that torch runs in a worker (c10d's control plane: WorkerServer), at the Unix socket that
/// TORCH_WORKER_SERVER_SOCKET names there. HTTP; nothing that it answers is trusted. A worker that is stopped lets
/// connect and does not answer: `limit` is for each question as a whole. Errors are short printable reasons, such as
/// "it does not answer within 2 s".
class WorkerServerClient {
 public:
  template <typename T>
  using Answer = Expected<T, std::string>;
  static constexpr std::chrono::milliseconds kLimit{2000};
  /// The handler of traceback().
  static constexpr const char* kTraceback = "dump_traceback";
  /// Of a body.
  static constexpr std::size_t kMostBytes = 64 * 1024 * 1024;
  static constexpr std::size_t kMostTraceback = 64 * 1024;

  /// Connects when it is asked, each time anew; must outlive its coroutines.
  explicit WorkerServerClient(std::filesystem::path socket, std::chrono::milliseconds limit = kLimit);

  /// What handlers there are: GET /handler/.
  asio::awaitable<Answer<std::vector<std::string>>> handlers() const;

  /// The bytes that one answers: POST /handler/`name`, where `name` may have a query ("name?key=value"). An answer
  /// other than 200 is an error.
  asio::awaitable<Answer<std::string>> call(std::string name, std::size_t most_bytes = kMostBytes) const;

  /// The record of collectives, from those of torch's handlers that are among `names`: Gloo's and NCCL's together. At
  /// most two questions.
  asio::awaitable<Answer<FlightRecord>> flight_record(std::vector<std::string> names) const;
  /// The same after a question of which handlers there are.
  asio::awaitable<Answer<FlightRecord>> flight_record() const;

  /// Where its Python threads are, as Python's faulthandler writes it: lines, printable and cut. An error where the
  /// worker is no Python program, or its interpreter does not let go.
  asio::awaitable<Answer<std::vector<std::string>>> traceback() const;

 private:
  std::filesystem::path socket_;
  std::chrono::milliseconds limit_;
};

}  // namespace mdl::launcher::flight
