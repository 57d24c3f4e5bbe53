#include "worker/hub/transfer.hpp"

#include <atomic>
#include <catch2/catch.hpp>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "tests/rendezvous/stderr_capture.hpp"
#include "tests/temp_dir.hpp"
#include "tests/worker/http/small_server.hpp"
#include "worker/hub/huggingface_cache.hpp"

using namespace mdl;
using namespace mdl::worker;
using namespace mdl::worker::hub;
using namespace std::chrono_literals;
using Catch::Contains;
using test::SmallServer;

namespace {

const ModelName kModel{"org", "name", std::nullopt};

/// A hub whose files are a server's, with Hugging Face's cache.
class SmallHub : public Hub {
 public:
  SmallHub(const SmallServer& server, const std::filesystem::path& root) : url_(server.url()), cache_(root, true) {}

  std::string title() const override { return "a small hub"; }
  const ModelCache& cache() const override { return cache_; }
  std::optional<std::string> offline() const override { return std::nullopt; }
  bool shows_progress() const override { return true; }
  Listing list(http::Client& /*client*/, const ModelName& /*model*/) const override { return {}; }
  http::Request file_request(const ModelName& /*model*/, const Listing& /*listing*/,
                             const ListedFile& file) const override {
    http::Request request;
    request.url = url_ + "/" + file.path;
    return request;
  }
  Error explain(const ModelName& /*model*/, const std::string& file, const http::Failure& failure) const override {
    return Error(str_cat("cannot get ", file, " from ", failure.url, ": ", failure.reason));
  }

 private:
  std::string url_;
  HuggingFaceCache cache_;
};

Listing listing_of(const std::string& content) {
  const ListedFile file{
      .path = "config.json", .size = std::ssize(content), .digest = {Digest::Kind::sha256, sha256_hex(content)}};
  return {std::string(40, 'c'), {file}};
}

/// Limits of a test, which waits for nothing.
TransferLimits quick_limits() {
  TransferLimits limits;
  limits.retry = {.attempts = 3, .first_pause = 1ms};
  return limits;
}

void fetch(const SmallHub& hub, const Listing& listing, const TransferLimits& limits) {
  transfer(hub, kModel, listing, listing.files, "Downloading", {}, limits);
}

}  // namespace

TEST_CASE("where there is no bar, a line tells now and then how far a transfer is") {
  const std::string content(10'000, 'x');
  const test::TempDir folder;
  const test::StderrCapture told;
  const SmallServer server([&](int client, const std::string& /*request*/) {
    test::send_text(client, test::head_of(content.size()) + content.substr(0, 9000));
    while (told.lines() < 2 && !test::has_hung_up(client, 1)) {}
    test::send_text(client, content.substr(9000));
  });
  TransferLimits limits = quick_limits();
  limits.told_every = 1ms;
  limits.record_every = 1;
  const SmallHub hub(server, folder.path());
  fetch(hub, listing_of(content), limits);
  CHECK_THAT(told.text(), Contains("Downloading 9.0/10.0 kB ["));
  CHECK(hub.cache().find_file(kModel, listing_of(content), listing_of(content).files.front()));
}

TEST_CASE("a long pause before the next attempt at a file is told") {
  std::atomic<int> asked = 0;
  const test::TempDir folder;
  const SmallServer server([&](int client, const std::string& /*request*/) {
    const bool first = asked++ == 0;
    test::send_text(client, first ? test::head_of(0, "503 Busy", "Retry-After: 0\r\n") : test::head_of(2) + "{}");
  });
  TransferLimits limits = quick_limits();
  limits.retry.long_pause = 0s;
  const test::StderrCapture told;
  fetch(SmallHub(server, folder.path()), listing_of("{}"), limits);
  CHECK_THAT(told.text(), Contains("config.json at byte 0: the server answered 503; again in 0 ms\n"));
}

TEST_CASE("a server that drips, within an answer or in many short ones, is given up with its address") {
  const bool cuts = GENERATE(false, true);
  const std::string content(500, 'x');
  std::atomic<int> asked = 0;
  const test::TempDir folder;
  const SmallServer server([&](int client, const std::string& request) {
    const auto range = request.find("Range: bytes=");
    const std::size_t begin = range == std::string::npos ? 0 : std::stoul(request.substr(range + 13));
    const std::string bytes = str_cat("Content-Range: bytes ", begin, "-", content.size() - 1, "/500\r\n");
    ++asked;
    test::send_text(client, test::head_of(content.size() - begin, "206 Partial", bytes));
    test::drip(client, cuts ? 1 : content.size() - begin);
  });
  TransferLimits limits = quick_limits();
  limits.connections = 1;
  limits.retry.attempts = 2;
  limits.lowest_speed = {.bytes_per_second = 10'000, .over = 1s};
  CHECK_THROWS_WITH(fetch(SmallHub(server, folder.path()), listing_of(content), limits),
                    Contains("cannot get config.json from " + server.url() + "/config.json: ") &&
                        Contains(cuts ? "" : "for 1 s fewer than 10000 bytes a second"));
  CHECK(asked == 2);
}
