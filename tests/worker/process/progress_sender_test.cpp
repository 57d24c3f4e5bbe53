#include "worker/process/progress_sender.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "tests/temp_dir.hpp"

using mdl::worker::process::ProgressSender;
using nlohmann::json;

namespace {

/// The launcher's end.
class ProgressReader {
 public:
  explicit ProgressReader(const std::filesystem::path& path)
      : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, path.c_str());
    REQUIRE(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }

  /// null where nothing has come.
  json next() const {
    char buffer[4096];
    const ssize_t size = ::recv(socket_.get(), buffer, sizeof buffer, 0);
    return size < 0 ? json() : json::parse(std::string(buffer, static_cast<std::size_t>(size)));
  }

 private:
  mdl::UniqueFd socket_;
};

}  // namespace

TEST_CASE("the launcher is told of steps and sections where it listens") {
  const mdl::test::TempDir folder;
  const std::string path = (folder.path() / "socket").string();
  const ProgressReader reader(path);
  ProgressSender sender(path.c_str());
  sender.step({.step = 1, .total = 9, .loss = 2.5, .samples = 4, .own = 0.25, .waiting = 0.5});
  CHECK(reader.next() == json::parse(R"({"step":1,"total":9,"loss":2.5,"samples":4,"own":0.25,"waiting":0.5})"));
  ProgressSender of_rank_0(path.c_str());
  of_rank_0.step({.step = 2, .total = 9, .learning_rate = 0.125, .grad_norm = 3});
  const json told = reader.next();
  CHECK((told.at("learning_rate") == 0.125 && told.at("grad_norm") == 3.0 && !told.contains("loss")));
  sender.evaluated(1.5);
  CHECK(reader.next() == json::parse(R"({"eval_loss":1.5})"));
  {
    const ProgressSender::Section section(sender, "evaluation", 60);
    CHECK(reader.next() == json::parse(R"({"section":"evaluation","section_seconds":60.0})"));
  }
  CHECK(reader.next() == json::parse(R"({"section":null})"));
  const ProgressSender::Section section(sender, "writing the model", std::nullopt);
  CHECK(reader.next() == json::parse(R"({"section":"writing the model"})"));
}

TEST_CASE("of steps that follow each other at once the first and the last of all are sent") {
  const mdl::test::TempDir folder;
  const std::string path = (folder.path() / "socket").string();
  const ProgressReader reader(path);
  ProgressSender sender(path.c_str());
  const auto begin = std::chrono::steady_clock::now();
  for (std::int64_t step = 1; step <= 1000; ++step) { sender.step({.step = step, .total = 1000, .loss = NAN}); }
  const auto took = std::chrono::steady_clock::now() - begin;
  int count = 1;
  json last = reader.next();
  CHECK(last.at("step") == 1);
  CHECK(last.at("loss").is_null());
  for (json next = reader.next(); !next.is_null(); next = reader.next(), ++count) { last = next; }
  if (count < 10) { CHECK(last.at("step") == 1000); }  // a full buffer loses the rest
  CHECK(count <= 2 + took / ProgressSender::kApart);
}

TEST_CASE("a launcher that does not listen, or is gone, holds nobody up") {
  const mdl::test::TempDir folder;
  const std::string path = (folder.path() / "socket").string();
  for (const char* place : {static_cast<const char*>(nullptr), "", "/nowhere/socket", path.c_str()}) {
    ProgressSender sender(place);
    sender.step({.step = 1, .total = 1});
  }
  CHECK_NOTHROW(ProgressSender(std::string(4096, 'x').c_str()).step({.step = 1, .total = 1}));
  auto reader = std::make_unique<ProgressReader>(path);
  ProgressSender sender(path.c_str());
  for (int i = 0; i < 5000; ++i) { sender.step({.step = 1, .total = 1}); }  // more than the buffer takes
  reader.reset();
  sender.step({.step = 1, .total = 1});
}
