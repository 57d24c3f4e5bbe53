#include "launcher/report/event_log.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace mdl;
using namespace mdl::launcher::report;

TEST_CASE("an event is one line of JSON, whatever a worker has written") {
  AgentEvent event;
  event.state = "FAILED";
  event.entry_point = "train\n.py\xff";
  event.worker = AgentEvent::Worker{1, 5, 5, 8, 4711, -9, "first\nsecond\x1b[2J"};
  const std::string line = event_line(event);
  CHECK(line.find('\n') == std::string::npos);
  const auto json = nlohmann::json::parse(line);
  CHECK(json["source"] == "WORKER");
  CHECK(json["metadata"]["global_rank"] == 5);
  const auto inner = nlohmann::json::parse(json["metadata"]["metadata"].get<std::string>());
  CHECK(inner["exit_code"][0] == -9);
  CHECK(nlohmann::json::parse(json["metadata"]["raw_error"].get<std::string>())["message"] == "first second");
}
