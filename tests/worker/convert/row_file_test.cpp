#include "worker/convert/row_file.hpp"

#include <catch2/catch.hpp>
#include <fstream>

#include "common/error.hpp"
#include "tests/temp_dir.hpp"
#include "worker/convert/json_row.hpp"

using Catch::Contains;
using mdl::worker::convert::conversation_of;
using mdl::worker::convert::read_rows;
using mdl::worker::convert::Row;
using mdl::worker::convert::row_of_json;
using mdl::worker::convert::RowFile;

namespace {

RowFile rows_in(const std::string& name, const std::string& text) {
  const mdl::test::TempDir folder;
  std::ofstream(folder.path() / name, std::ios::binary) << text;
  return read_rows(folder.path() / name);
}

/// "role[audio:a.wav text:hi] …".
std::string shown_messages(const std::vector<mdl::worker::processor::Message>& messages) {
  std::string text;
  for (const auto& message : messages) {
    text += (text.empty() ? "" : " ") + message.role + "[";
    for (const auto& part : message.content) {
      text += (text.ends_with('[') ? "" : " ") + part.type + ":" + part.value;
    }
    text += "]";
  }
  return text;
}

std::string conversation_in(const std::string& line) {
  return shown_messages(conversation_of(row_of_json(line), {std::nullopt, std::nullopt, "base"}));
}

}  // namespace

TEST_CASE("a file's ending says how its rows are written") {
  const RowFile tabs = rows_in("a.tsv", "audio\tprediction\n\"a\tb.wav\"\tx, y\n\tz\n");
  REQUIRE(tabs.rows.size() == 2);
  CHECK(tabs.rows[0].audio == "a\tb.wav");
  CHECK(tabs.rows[0].prediction == "x, y");
  CHECK_FALSE(tabs.rows[1].audio);
  const RowFile lines =
      rows_in("a.jsonl", "\n{\"audio\": \"a.wav\", \"prediction\": \"x\", \"id\": 7}\r\n\n{\"audio\": null}");
  REQUIRE(lines.rows.size() == 2);
  CHECK(lines.rows[0].line == 2);
  CHECK(lines.rows[0].prediction == "x");
  CHECK(lines.rows[1].number == 2);
  CHECK(lines.rows[1].line == 4);
  CHECK_FALSE(lines.rows[1].audio);
}

TEST_CASE("what separates the fields in truth is named") {
  CHECK_THROWS_WITH(rows_in("a.csv", "audio;prediction\na.wav;x\n"), Contains("a.csv has \";\" between its fields"));
  CHECK_THROWS_WITH(rows_in("a.csv", "audio\tprediction\na.wav\tx\n"), Contains("tabs") && Contains(".tsv"));
  CHECK_THROWS_WITH(rows_in("a.tsv", "id,audio,prediction\n1,a.wav,x\n"), Contains("\",\"") && Contains(".csv"));
  CHECK_THROWS_WITH(rows_in("a.csv", "prediction|audio\nx|a.wav\n"), Contains("\"|\""));
  CHECK_THROWS_WITH(
      mdl::worker::convert::require_column(rows_in("a.csv", "audio,note\na.wav,x\n"), "a.csv", "prediction"),
      Contains("no column \"prediction\"; it has: audio, note"));
  CHECK_THROWS_WITH(rows_in("a.csv", "sound;prediction\na.wav;x\n"), Contains("no column \"audio\""));
  CHECK_THROWS_WITH(rows_in("a.json", "[{\"audio\": \"a.wav\"}]"), Contains("a.json is JSON") && Contains("jq -c"));
  CHECK_THROWS_WITH(rows_in("a.jsonl", "[{\"audio\": \"a.wav\"}]"), Contains("jq -c"));
  CHECK_THROWS_WITH(rows_in("a.jsonl", "[{}]"),
                    Contains("> ") && !Contains("> " + std::string("a.jsonl")) && Contains("a-rows.jsonl"));
  CHECK_THROWS_WITH(rows_in("a.jsonl", "{\n  \"audio\": \"a\"\n}\n"), Contains("jq -c '.' "));
  CHECK_THROWS_WITH(rows_in("a.ndjson", "{\"audio\": \"a\"}\n"), Contains("a name that ends in .jsonl"));
  CHECK_THROWS_WITH(rows_in("a.jsonl", "\n \n"), Contains("no rows"));
}

TEST_CASE("a row of messages keeps its turns, and the last answer is what is predicted") {
  const std::string line =
      R"({"messages": [{"role": "system", "content": [{"type": "text", "text": "S"}]},
          {"role": "user", "content": [{"type": "text", "text": "What?"}, {"type": "audio", "path": "a.wav"}]},
          {"role": "assistant", "content": "A dog."}, {"role": "user", "content": "How many?"},
          {"role": "assistant", "content": [{"type": "text", "text": "Two"}, {"type": "text", "text": "."}]}]})";
  const Row row = row_of_json(line);
  CHECK(row.audio == "a.wav");
  CHECK(row.prediction == "Two.");
  CHECK(row.messages.size() == 4);
  CHECK(conversation_in(line) ==
        "system[text:S] user[text:What? audio:base/a.wav] assistant[text:A dog.] user[text:How many?] "
        "assistant[text:Two.]");
  CHECK(
      conversation_in(R"({"messages": [{"role": "user", "content": [{"type": "audio", "url": "http://h/a.wav"}]}]})") ==
      "user[audio:http://h/a.wav]");
}

TEST_CASE("the row's sound stands where its text has the tag, or before the user's first text") {
  CHECK(conversation_in(R"({"messages": [{"role": "user", "content": "Hear <audio>: what?"}], "audios": ["a.wav"]})") ==
        "user[text:Hear  audio:base/a.wav text:: what?]");
  CHECK(conversation_in(R"({"messages": [{"role": "user", "content": "What?"}], "audio": "a.wav"})") ==
        "user[audio:base/a.wav text:What?]");
}

TEST_CASE("prompts for all rows complete messages that have none of their own") {
  const auto with_defaults = [](const std::string& line) {
    return shown_messages(conversation_of(row_of_json(line), {"common system", "common question", ""}));
  };
  CHECK(with_defaults(R"({"messages": [{"role": "user", "content": [{"type": "audio", "path": "a"}]}]})") ==
        "system[text:common system] user[audio:a text:common question]");
  CHECK(with_defaults(R"({"messages": [{"role": "system", "content": "S"},
                          {"role": "user", "content": [{"type": "audio", "path": "a"}, {"type": "text", "text": "Q"}]}]})") ==
        "system[text:S] user[audio:a text:Q]");
}

TEST_CASE("a line that is no row says what is wrong with it") {
  const auto fault = [](const std::string& line) -> std::string {
    try {
      row_of_json(line);
    } catch (const mdl::Error& error) { return error.problem(); }
    return "none";
  };
  const std::string sound = R"({"role": "user", "content": [{"type": "audio", "path": "a"}]})";
  CHECK_THAT(fault("{"), Contains("not an object in JSON"));
  CHECK_THAT(fault("3"), Contains("number, not an object"));
  CHECK_THAT(fault(R"({"audio": 3})"), Contains("\"audio\" is number"));
  CHECK_THAT(fault(R"({"audio": "a", "prediction": "x", "prediction": "y"})"),
             Contains("\"prediction\" stands there twice"));
  CHECK_THAT(fault(R"({"audio": "a", "id": 1e400})"), Contains("a number that is too large"));
  CHECK_THAT(fault(R"({"audio": "a", "audios": ["b"]})"), Contains("2 sounds"));
  CHECK_THAT(fault(R"({"messages": [{"role": "assistant", "content": "x"}], "audio": "a"})"),
             Contains("no message of the user"));
  CHECK_THAT(fault(R"({"messages": [{"role": "user", "content": [{"type": "audio", "path": "a", "url": "b"}]}]})"),
             Contains("names 2 sounds"));
  CHECK_THAT(fault(R"({"messages": {}})"), Contains("no list of messages"));
  CHECK_THAT(fault(R"({"messages": []})"), Contains("no list of messages"));
  CHECK_THAT(fault(R"({"messages": [3]})"), Contains("no object"));
  CHECK_THAT(fault(R"({"messages": [{"role": "tool", "content": "x"}]})"), Contains("role \"tool\""));
  CHECK_THAT(fault(R"({"messages": [{"role": "user"}]})"), Contains("no content"));
  CHECK_THAT(fault(R"({"messages": [{"role": "user", "content": "x"}]})"), Contains("no sound"));
  CHECK_THAT(fault(R"({"messages": [{"role": "user", "content": [{"type": "image", "path": "x"}]}]})"),
             Contains("type \"image\""));
  CHECK_THAT(fault(R"({"messages": [{"role": "user", "content": [{"type": "audio"}]}]})"), Contains("neither"));
  CHECK_THAT(fault(R"({"messages": [)" + sound + "," + sound + "]}"), Contains("2 sounds"));
  CHECK_THAT(fault(R"({"messages": [)" + sound + R"(], "audio": "b"})"), Contains("2 sounds"));
  CHECK_THAT(fault(R"({"messages": [{"role": "user", "content": "<audio><audio>"}], "audio": "b"})"),
             Contains("2 places for its sound"));
  CHECK_THAT(fault(R"({"messages": [{"role": "user", "content": "x"}], "audios": ["a", "b"]})"), Contains("2 sounds"));
  CHECK_THAT(fault(R"({"messages": [{"role": "assistant", "content": [{"type": "audio", "path": "a"}]}]})"),
             Contains("belongs into one of the user"));
  CHECK_THAT(fault("{\"x\": " + std::string(100000, '[')), Contains("nested deeper than 64"));
  CHECK_THAT(fault("{\"messages\": [" + sound + std::string(20000, ' ') + "]}"), Contains("none"));
}

TEST_CASE("what messages leave open may stand beside them") {
  const Row row = row_of_json(R"({"messages": [{"role": "user", "content": [{"type": "audio", "path": "a"}]}],
                                  "system_prompt": "S", "user_prompt": "Q", "prediction": "right"})");
  CHECK(shown_messages(conversation_of(row, {"other", "other", ""})) ==
        "system[text:S] user[audio:a text:Q] assistant[text:right]");
  CHECK(row_of_json(R"({"messages": [{"role": "user", "content": [{"type": "audio", "path": "a"}]},
                        {"role": "assistant", "content": "says"}], "prediction": "answered"})")
            .prediction == "says");
}

TEST_CASE("bad lines are bad rows, each named once") {
  const RowFile file = rows_in("a.jsonl", "{\"audio\": \"a\"}\nnonsense\n{\"audio\": []}\n");
  REQUIRE(file.rows.size() == 3);
  REQUIRE(file.problems.size() == 2);
  CHECK(file.problems[0].number == 2);
  CHECK(file.problems[0].line == 2);
  CHECK(file.problems[1].number == 3);
}
