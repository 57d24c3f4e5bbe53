#include "rendezvous/c10d/service_message.hpp"

#include <catch2/catch.hpp>
#include <string>

using namespace mdl;
using namespace mdl::rendezvous::c10d;
using namespace std::chrono_literals;

TEST_CASE("requests and replies come back from their text, and nothing else does") {
  ServiceRequest request;
  request.number = 7;
  request.run_id = "a \"job\"";
  request.node = {"node0", 4711, 2};
  request.ticket = ~std::uint64_t{0};
  request.settings.min_nodes = 2;
  request.settings.max_nodes = 5;
  request.settings.keep_alive_interval = 1500ms;
  CHECK(service_request_from_json(to_json(request)) == request);
  request.intent = ServiceRequest::Intent::leave;
  request.settings = {};
  CHECK(service_request_from_json(to_json(request)) == request);

  ServiceReply reply;
  reply.number = 9;
  reply.kind = ServiceReply::Kind::round;
  reply.round = 3;
  reply.rank = 1;
  reply.nodes = 4;
  reply.first_addr = "fd77::1";
  CHECK(service_reply_from_json(to_json(reply)) == reply);
  reply = {};
  reply.kind = ServiceReply::Kind::refused;
  reply.text = "because\n";
  CHECK(service_reply_from_json(to_json(reply)) == reply);

  const std::string good = to_json(request);
  for (std::size_t end = 0; end < good.size(); ++end) { CHECK_FALSE(service_request_from_json(good.substr(0, end))); }
  CHECK_FALSE(service_request_from_json("[]"));
  CHECK_FALSE(service_request_from_json(R"({"number":1,"wish":9,"run_id":"a","node":["a",1,0],"ticket":1})"));
  CHECK_FALSE(service_request_from_json(R"({"number":1,"wish":3,"run_id":"a","node":["a",1],"ticket":1})"));
  CHECK(service_request_from_json(R"({"number":1,"wish":3,"run_id":"a","node":["a",1,0],"ticket":1})"));
  CHECK_FALSE(service_request_from_json(R"({"number":1,"wish":3,"run_id":"a","node":["a",1,0],"ticket":-1e300})"));
  CHECK_FALSE(service_request_from_json(
      R"({"number":1,"wish":0,"run_id":"a","node":["a",1,0],"ticket":1,"settings":{"min":0,"max":1,"last_call":1,"interval":1,"attempts":1}})"));
  CHECK_FALSE(service_reply_from_json(R"({"number":1,"kind":99})"));
  CHECK_FALSE(service_reply_from_json("Y2FuaW1hZGFt"));
}

TEST_CASE("requests and replies are the bytes that every version of these messages exchanges") {
  ServiceRequest request;
  request.number = 7;
  request.run_id = "job";
  request.node = {"node0", 4711, 2};
  request.ticket = 5;
  CHECK(to_json(request) ==
        R"({"number":7,"wish":0,"run_id":"job","node":["node0",4711,2],"ticket":5,"settings":{"min":1,"max":1,)"
        R"("last_call":30000000,"interval":5000000,"attempts":3}})");
  request.intent = ServiceRequest::Intent::close;
  CHECK(to_json(request) == R"({"number":7,"wish":3,"run_id":"job","node":["node0",4711,2],"ticket":5})");
  ServiceReply reply;
  reply.number = 9;
  CHECK(to_json(reply) == R"({"number":9,"kind":0})");
  reply = {9, ServiceReply::Kind::round, 3, 1, 4, "fd77::1", "text"};
  CHECK(to_json(reply) == R"({"number":9,"kind":1,"round":3,"rank":1,"nodes":4,"first_addr":"fd77::1","text":"text"})");
  CHECK(kServiceKey == "mdl.rendezvous");
  CHECK(kServiceCallKey == "mdl.rendezvous/call");
  CHECK(to_string(ServiceAnnouncement{"job"}) == "1 job");
}

TEST_CASE("a host of another version is not called") {
  CHECK(read_service_announcement(to_string(ServiceAnnouncement{"a job"}))->run_id == "a job");
  CHECK_FALSE(read_service_announcement("2 job"));
  CHECK_FALSE(read_service_announcement(""));
}
