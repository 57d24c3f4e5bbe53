// --rdzv-conf: what its keys do to the plan of a rendezvous. The claims are those of PyTorch's dynamic_rendezvous_test,
// c10d_rendezvous_backend_test and utils_test about the same settings (docs/torchrun.md).
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "common/error.hpp"
#include "launcher/command_line/rdzv_conf.hpp"
#include "launcher/command_line/store_plan.hpp"
#include "tests/temp_dir.hpp"

using namespace mdl;
using namespace mdl::launcher::command_line;
using namespace mdl::rendezvous::c10d;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

std::shared_ptr<rendezvous::access::StoreGuard> guard_of(const StorePlan& plan) {
  return std::visit([](const auto& kind) { return kind.guard; }, plan);
}

LaunchOptions two_nodes(const std::string& conf) {
  LaunchOptions options;
  options.rdzv_backend = "c10d";
  options.rdzv_endpoint = "node7";
  options.rdzv_id = "job";
  options.nnodes = {1, 2};
  options.rdzv_conf = conf;
  return options;
}

C10dJob job_of(const std::string& conf) {
  return std::get<C10dJob>(plan_store(two_nodes(conf), ""));
}

std::string error_of(const LaunchOptions& options) {
  try {
    plan_store(options, "");
  } catch (const UsageError& error) {
    CHECK(error.exit_code() == 2);
    return error.what();
  }
  return "no error";
}

std::string error_of(const std::string& conf) {
  return error_of(two_nodes(conf));
}

}  // namespace

TEST_CASE("the times of a rendezvous have torchrun's defaults") {
  const C10dJob job = job_of("");
  CHECK(job.settings.join_timeout == 600s);
  CHECK(job.settings.last_call_timeout == 30s);
  CHECK(job.settings.close_timeout == 30s);
  CHECK(job.settings.keep_alive_interval == 5s);
  CHECK(job.settings.heartbeat_timeout == 5s);
  CHECK(job.settings.keep_alive_max_attempt == 3);
  CHECK(job.read_timeout == 60s);
  CHECK(job.endpoint.port == 29400);
  CHECK_FALSE(job.is_host);
  CHECK(job.settings.min_nodes == 1);
  CHECK(job.settings.max_nodes == 2);
}

TEST_CASE("each time of --rdzv-conf arrives where it counts, and blanks around keys and values do not") {
  const C10dJob job = job_of(
      " join_timeout=1, last_call_timeout = 2,close_timeout =3,keep_alive_interval= 4 ,keep_alive_max_attempt=5,"
      "read_timeout=6");
  CHECK(job.settings.join_timeout == 1s);
  CHECK(job.settings.last_call_timeout == 2s);
  CHECK(job.settings.close_timeout == 3s);
  CHECK(job.settings.keep_alive_interval == 4s);
  CHECK(job.settings.keep_alive_max_attempt == 5);
  CHECK(job.read_timeout == 6s);
}

TEST_CASE("a number of --rdzv-conf that is not a whole one above 0 is an error that quotes it") {
  for (const char* key : {"join_timeout", "last_call_timeout", "close_timeout", "heartbeat_timeout",
                          "keep_alive_interval", "keep_alive_max_attempt", "read_timeout"}) {
    for (const char* value : {"0", "-10", "1.5", "soon", "5s", "99999999999999999999"}) {
      CHECK_THAT(error_of(std::string(key) + "=" + value), Contains(key) && Contains(value));
    }
  }
}

TEST_CASE("cas_backoff_max_seconds may be 0 and have a fraction, and must be a number") {
  CHECK(job_of("").cas_backoff == 0s);
  CHECK(job_of("cas_backoff_max_seconds=0").cas_backoff == 0s);
  CHECK(job_of("cas_backoff_max_seconds=0.25").cas_backoff == 250ms);
  for (const char* wrong : {"-1", "inf", "nan", "soon", "1s"}) {
    CHECK_THAT(error_of(std::string("cas_backoff_max_seconds=") + wrong),
               Contains("cas_backoff_max_seconds") && Contains(wrong));
  }
}

TEST_CASE("is_host takes all of torchrun's words for yes and no in any case, and no other") {
  for (const char* yes : {"1", "true", "True", "TRUE", "t", "yes", "Yes", "y", "Y"}) {
    CHECK(job_of(std::string("is_host=") + yes).is_host == true);
  }
  for (const char* no : {"0", "false", "False", "FALSE", "f", "no", "NO", "n", "N"}) {
    CHECK(job_of(std::string("is_host=") + no).is_host == false);
  }
  for (const char* other : {"01", "ye", "Truee", "2", "-1", "on"}) {
    CHECK_THAT(error_of(std::string("is_host=") + other), Contains("is_host") && Contains(other));
  }
}

TEST_CASE("the store is tcp, and another store_type is an error") {
  CHECK(job_of("store_type=tcp").endpoint.host == "node7");
  CHECK(job_of("store_type=TCP").endpoint.host == "node7");  // torchrun does not look at the case
  CHECK_THAT(error_of("store_type=file"), Contains("store_type=file") && Contains("tcp"));
  CHECK_THAT(error_of("store_type=dummy"), Contains("store_type=dummy") && Contains("tcp"));
}

TEST_CASE("what is not KEY=VALUE is an error, nothing at all is fine, and only the first = divides") {
  for (const char* wrong : {"timeout=1,", "timeout=1,,rank=2", "timeout", "timeout=", "=1", "timeout= "}) {
    CHECK_THAT(error_of(wrong), Contains("KEY=VALUE"));
  }
  CHECK(job_of("").run_id == "job");
  CHECK_THAT(error_of("store_type=a/b=c"), Contains("store_type=a/b=c"));
}

TEST_CASE("one pair of quotes around --rdzv-conf is taken off, and white space does not count") {
  for (const char* conf : {"'join_timeout=5,read_timeout=7'", "\"join_timeout=5,read_timeout=7\"",
                           " ' join_timeout=5,read_timeout=7 '\n", "\tjoin_timeout =5 ,\nread_timeout= +7\n"}) {
    CHECK(job_of(conf).settings.join_timeout == 5s);
    CHECK(job_of(conf).read_timeout == 7s);
  }
  CHECK(job_of(" ").run_id == "job");
  CHECK(job_of("''").run_id == "job");
  CHECK_THAT(error_of("'join_timeout=5"), Contains("join_timeout"));  // a near key: a quote too many
  CHECK_THAT(error_of("''join_timeout=5''"), Contains("join_timeout"));
}

TEST_CASE("a key that is nowhere near a known one is a warning, with the keys that there are") {
  const auto warnings = warnings_of(parse_rdzv_conf("ttl=10,join_timeout=5,ssl_cert=/a,protocol=https"));
  REQUIRE(warnings.size() == 3);
  CHECK_THAT(warnings[0], Contains("\"protocol\"") && Contains("protocol=https has no effect") && Contains("is_host"));
  CHECK(job_of("ttl=10,join_timeout=5").settings.join_timeout == 5s);
}

TEST_CASE("a key that is almost a known one is an error that names it and lists all") {
  CHECK_THAT(error_of("joined_timeout=3"), Contains("Did you mean join_timeout?"));
  CHECK_THAT(error_of("join_timout=3"), Contains("join_timout") && Contains("join_timeout") && Contains("is_host"));
  LaunchOptions alone = two_nodes("join_timout=3");
  alone.nnodes = {1, 1};
  CHECK_THAT(error_of(alone), Contains("join_timout"));
  alone.rdzv_conf = "join_timeout=0";
  CHECK_THAT(error_of(alone), Contains("join_timeout"));
  alone.rdzv_conf = "";
  alone.rdzv_endpoint = "node7:what";
  CHECK_THAT(error_of(alone), Contains("node7:what"));
}

TEST_CASE("a static rendezvous waits 900 s for its nodes, or as long as timeout says") {
  LaunchOptions options;
  options.nnodes = {2, 2};
  CHECK(std::get<StaticJob>(plan_store(options, "")).timeout == 900s);
  options.rdzv_conf = "timeout=7";
  CHECK(std::get<StaticJob>(plan_store(options, "")).timeout == 7s);
  for (const char* wrong : {"0", "-1", "1.5", "long"}) {
    options.rdzv_conf = std::string("timeout=") + wrong;
    CHECK_THAT(error_of(options), Contains("timeout") && Contains(wrong));
  }
}

TEST_CASE("a static rendezvous may be at an IPv6 address, and needs a port and a node rank that exists") {
  LaunchOptions options;
  options.nnodes = {2, 2};
  options.rdzv_endpoint = "[2001:db8::7]:2345";
  CHECK(std::get<StaticJob>(plan_store(options, "")).master == mdl::Endpoint("2001:db8::7", 2345));
  for (const char* wrong : {"[2001:db8::7]", "2001:db8::7", "node7", "node7:", "node7:0", "node7:65536", "node7:x"}) {
    options.rdzv_endpoint = wrong;
    CHECK_THAT(error_of(options), Contains(wrong));
  }
  options.rdzv_endpoint = "node7:1";
  options.node_rank = 2;
  CHECK_THAT(error_of(options), Contains("--node-rank 2"));
}

TEST_CASE("secret_file and plain_clients of --rdzv-conf arrive in every kind of plan") {
  CHECK(secret_file_of("secret_file=/keys/a=b,plain_clients=10.1.0.0/16+fd00:7::5") == "/keys/a=b");
  CHECK(plain_clients_of("secret_file=/keys/a=b,plain_clients=10.1.0.0/16+fd00:7::5").size() == 2);
  CHECK(plain_clients_of("secret_file=x,plain_clients=hosts").empty());
  CHECK(secret_file_of("").empty());
  const test::TempDir folder;
  const std::string path = folder.path() / "a=b";
  std::ofstream(path) << "sixteen bytes!!!";
  std::filesystem::permissions(path, std::filesystem::perms::owner_read);
  LaunchOptions options = two_nodes("plain_clients=10.1.0.0/16,secret_file=" + path);
  const auto guard = [&options] {
    StorePlan plan = plan_store(options, "");
    load_secret(plan, options.rdzv_conf);
    return guard_of(plan);
  };
  const auto inside = asio::ip::make_address("10.1.2.3");
  const auto outside = asio::ip::make_address("10.2.2.3");
  CHECK((guard()->names(inside) && !guard()->names(outside)));
  options.rdzv_backend = "static";
  options.rdzv_endpoint = "node7:1234";
  CHECK((guard()->names(inside) && !guard()->names(outside)));
  options.standalone = true;
  CHECK((guard()->names(inside) && !guard()->names(outside)));
}

TEST_CASE("plain_clients that are no addresses, of no use, or would keep the workers out are errors") {
  CHECK_THAT(error_of("plain_clients=hosts"), Contains("without secret_file"));
  CHECK_THAT(error_of("secret_file=x,plain_clients=none"), Contains("workers"));
  for (const char* wrong : {"node7", "10.1.0.0/33", "10.1.0.1/16", "10.0.0.1+", "+10.0.0.1", "hosts+10.0.0.1/40"}) {
    CHECK_THAT(error_of(std::string("secret_file=x,plain_clients=") + wrong), Contains("neither an address"));
  }
  LaunchOptions options = two_nodes("secret_file=x");
  options.agent_store = false;
  CHECK_THAT(error_of(options), Contains("TORCH_DISABLE_SHARE_RDZV_TCP_STORE"));
}

TEST_CASE("the guard of a job's stores is there when it has a secret, and then for all of them") {
  StorePlan open = plan_store(two_nodes(""), "");
  load_secret(open, "");
  CHECK_FALSE(guard_of(open));
  const std::string conf = "secret_file=/no/such/file";
  StorePlan missing = plan_store(two_nodes(conf), "");
  CHECK_THROWS_AS(load_secret(missing, conf), UsageError);
}
