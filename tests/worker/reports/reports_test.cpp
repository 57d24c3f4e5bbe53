#include <catch2/catch.hpp>

#include <cstdlib>

#include "common/atomic_file.hpp"
#include "tests/temp_dir.hpp"
#include "worker/reports/event_file.hpp"
#include "worker/reports/reports.hpp"

using namespace mdl;
using namespace mdl::worker::reports;

TEST_CASE("a record's checksum is the masked CRC-32C") {
  // "123456789" has the CRC-32C e3069283 (the polynomial's published check value).
  CHECK(masked_crc32c("123456789") == ((0xe3069283U >> 15 | 0xe3069283U << 17) + 0xa282ead8U));
}

TEST_CASE("tags are the Trainer's") {
  CHECK(tensorboard_tag("loss") == "train/loss");
  CHECK(tensorboard_tag("eval_loss") == "eval/loss");
  CHECK(tensorboard_tag("train_runtime") == "train/train_runtime");
}

TEST_CASE("a report as JSON begins with what was logged before and has a line for each entry") {
  const test::TempDir folder;
  write_text_atomically(folder.path() / "log.jsonl", "of an older run\n");
  Reports reports({ReportKind::json}, folder.path(), "{}", nlohmann::json::parse(R"([{"loss":2.5,"step":1}])"));
  reports.log({{"loss", 2.25}}, 2);
  CHECK(read_text(folder.path() / "log.jsonl") == "{\"loss\":2.5,\"step\":1}\n{\"loss\":2.25,\"step\":2}\n");
}

TEST_CASE("nothing is written that was not asked for") {
  const test::TempDir folder;
  Reports reports({}, folder.path(), "{}", nlohmann::json::array());
  reports.log({{"loss", 1.0}}, 1);
  CHECK(std::filesystem::is_empty(folder.path()));
}
