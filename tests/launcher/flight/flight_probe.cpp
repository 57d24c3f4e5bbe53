// For tests/peer/launch/test_launch_flight.py: what mdl-launch makes of torch's flight recorder.
//
//   flight_probe ask SOCKET SECONDS             the record of the worker whose server listens there, as for the store
//   flight_probe call SOCKET SECONDS HANDLER    the bytes that a handler answers
//   flight_probe traceback SOCKET SECONDS       where its Python threads are
//   flight_probe verdict WORLD_SIZE RANK=FILE…  JSON: what dumps, or records as for the store, say
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/error.hpp"
#include "launcher/flight/flight_dump.hpp"
#include "launcher/flight/flight_verdict.hpp"
#include "launcher/flight/worker_server_client.hpp"

using namespace mdl;
using namespace mdl::launcher::flight;

namespace {

template <typename T>
T value_of(Expected<T, std::string> answer) {
  if (!answer) { throw Error(answer.error()); }
  return std::move(*answer);
}

asio::awaitable<void> ask(const WorkerServerClient& client, const std::vector<std::string>& words) {
  if (words[0] == "ask") {
    auto record = co_await client.flight_record();
    std::cout << to_text(value_of(std::move(record))) << '\n';
  } else if (words[0] == "call") {
    auto bytes = co_await client.call(words.at(3));
    std::cout << value_of(std::move(bytes));
  } else {
    auto answer = co_await client.traceback();
    const std::vector<std::string> lines = value_of(std::move(answer));
    for (const std::string& line : lines) { std::cout << line << '\n'; }
  }
}

void run_client(const std::vector<std::string>& words) {
  asio::io_context io;
  std::exception_ptr failure;
  const std::chrono::milliseconds limit(static_cast<int>(1000 * std::stod(words.at(2))));
  const WorkerServerClient client(words.at(1), limit);
  asio::co_spawn(io, [&] { return ask(client, words); }, [&](std::exception_ptr error) { failure = std::move(error); });
  io.run();
  if (failure) { std::rethrow_exception(failure); }
}

FlightRecord read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (auto record = flight_record_from_text(bytes)) { return std::move(*record); }
  return value_of(read_flight_record(bytes));
}

const char* name_of(FlightVerdict::Finding finding) {
  constexpr const char* kNames[] = {"behind", "mismatch", "circle", "unrecorded", "together", "idle", "nothing"};
  return kNames[static_cast<int>(finding)];
}

void tell_verdict(const std::vector<std::string>& words) {
  std::map<std::int64_t, FlightRecord> records;
  for (std::size_t i = 2; i < words.size(); ++i) {
    const std::size_t sign = words[i].find('=');
    records[std::stoll(words[i].substr(0, sign))] = read(words[i].substr(sign + 1));
  }
  const FlightVerdict verdict = flight_verdict(records, std::stoll(words.at(1)));
  nlohmann::json json;
  json["finding"] = name_of(verdict.finding);
  json["headline"] = verdict.headline;
  json["details"] = verdict.details;
  json["ranks"] = verdict.ranks;
  std::cout << json.dump() << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  try {
    words.at(0) == "verdict" ? tell_verdict(words) : run_client(words);
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
  return 0;
}
