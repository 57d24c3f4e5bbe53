#include "worker/generation/answered_rows.hpp"

#include <catch2/catch.hpp>
#include <fstream>

#include "tests/temp_dir.hpp"
#include "worker/generation/batch_plan.hpp"

using mdl::worker::generation::answered_rows;
using mdl::worker::generation::Answers;

namespace {

mdl::worker::convert::RowFile file_of(const std::string& name, const std::string& text) {
  const mdl::test::TempDir folder;
  std::ofstream(folder.path() / name, std::ios::binary) << text;
  return mdl::worker::convert::read_rows(folder.path() / name);
}

}  // namespace

TEST_CASE("answers get a column of their own behind the others, or replace what is in it") {
  CHECK(answered_rows(file_of("a.csv", "audio,note\na.wav,\"x,y\"\nb.wav\n"), {{1, "one"}, {2, "two, 2"}}) ==
        "audio,note,prediction\r\na.wav,\"x,y\",one\r\nb.wav,,\"two, 2\"\r\n");
  CHECK(answered_rows(file_of("a.csv", "prediction,audio\nold,a.wav\n,b.wav\n"), {{1, "new"}, {2, ""}}) ==
        "prediction,audio\r\nnew,a.wav\r\n,b.wav\r\n");
  CHECK(answered_rows(file_of("a.tsv", "audio\tprediction\na.wav\told\n"), {{1, "a,b\tc"}}, "answer") ==
        "audio\tprediction\tanswer\r\na.wav\told\t\"a,b\tc\"\r\n");
}

TEST_CASE("a field is quoted where Python's csv.writer quotes it, and reads back the same") {
  const Answers answers = {{1, "\"\r\n,\""}, {2, " spaces "}, {3, "say \"hi\""}, {4, ""}};
  const std::string text = answered_rows(file_of("a.csv", "audio\na\nb\nc\nd\n"), answers);
  CHECK(text == "audio,prediction\r\na,\"\"\"\r\n,\"\"\"\r\nb, spaces \r\nc,\"say \"\"hi\"\"\"\r\nd,\r\n");
  const auto back = mdl::worker::dataset::parse_csv(text);
  REQUIRE(back.size() == 5);
  for (const auto row : {1U, 2U, 3U}) { CHECK(back[row].fields[1] == answers.at(row)); }
}

TEST_CASE("an object in JSON gets the answer, and all else of it stays as it is written") {
  const auto answered = [](const std::string& line) { return answered_rows(file_of("a.jsonl", line), {{1, "a\n"}}); };
  CHECK(
      answered("{\"id\": 12345678901234567890123, \"x\":[1, 2.50, {\"prediction\": 1}], \"audio\": \"\xC3\xA4\" } ") ==
      "{\"id\": 12345678901234567890123, \"x\":[1, 2.50, {\"prediction\": 1}], \"audio\": \"\xC3\xA4\", "
      "\"prediction\": \"a\\n\"}\n");
  CHECK(answered(R"({"a":"}\",:{","prediction":{"old":[",}"]},"audio":"b"})") ==
        R"({"a":"}\",:{","prediction": "a\n","audio":"b"})"
        "\n");
  CHECK(answered(R"({"audio":"b","predict\u0069on" : -0})") == R"({"audio":"b","predict\u0069on" : "a\n"})"
                                                               "\n");
  CHECK(answered("{ }") == "{\"prediction\": \"a\\n\"}\n");
}

TEST_CASE("rows of similar length are answered together, the longest first, each once") {
  using Batches = std::vector<std::vector<std::size_t>>;
  CHECK(mdl::worker::generation::plan_batches({5, 9, 1, 9, 7}, {0, 1, 2, 3, 4}, 2) == Batches{{1, 3}, {4, 0}, {2}});
  CHECK(mdl::worker::generation::plan_batches({5, 9, 1, 9, 7}, {2, 4}, 8) == Batches{{4, 2}});
  CHECK(mdl::worker::generation::plan_batches({5}, {}, 4).empty());
}
