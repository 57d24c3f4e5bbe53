#include "worker/dataset/csv.hpp"

#include <catch2/catch.hpp>
#include <fstream>

#include "common/error.hpp"
#include "tests/temp_dir.hpp"
#include "worker/convert/row_file.hpp"

using mdl::worker::dataset::parse_csv;

namespace {
/// Fields with | between them, records with a new line, a missing field as ~.
std::string shown(std::string_view text) {
  std::string all;
  for (const auto& record : parse_csv(text)) {
    std::string line;
    for (const auto& field : record.fields) { line += (line.empty() ? "" : "|") + field.value_or("~"); }
    all += line + '\n';
  }
  return all;
}

mdl::worker::convert::RowFile rows_of(const std::string& text) {
  const mdl::test::TempDir folder;
  std::ofstream(folder.path() / "in.csv", std::ios::binary) << text;
  return mdl::worker::convert::read_rows(folder.path() / "in.csv");
}
}  // namespace

TEST_CASE("a quoted field holds commas, line ends and doubled quotes") {
  CHECK(shown("a,\"b,c\",d\n") == "a|b,c|d\n");
  CHECK(shown("\"a\r\nb\",\"say \"\"hi\"\"\"") == "a\r\nb|say \"hi\"\n");
  CHECK(shown("it's 5\" wide,x") == "it's 5\" wide|x\n");
}

TEST_CASE("every kind of line end ends a record, and empty lines are skipped") {
  CHECK(shown("a,b\r\nc,d\re,f\n\n\r\ng,h") == "a|b\nc|d\ne|f\ng|h\n");
  CHECK(shown("a,b\n \t\nc,d\n  ") == "a|b\nc|d\n");
  CHECK(shown("\xEF\xBB\xBF"
              "a\n") == "a\n");
  CHECK(shown("").empty());
}

TEST_CASE("an empty field is missing, a word like NA is not") {
  CHECK(shown("a,,\"\",NA,\n") == "a|~|~|NA|~\n");
}

TEST_CASE("a record knows its line, also after a field of several lines") {
  const auto records = parse_csv("h\n\"a\n\nb\"\n\nc\n");
  CHECK(records.at(1).line == 2);
  CHECK(records.at(2).line == 6);
}

TEST_CASE("a quoted field that is never closed is named with its line") {
  CHECK_THROWS_WITH(parse_csv("a\nb,\"c\nd"), Catch::Contains("line 2"));
}

TEST_CASE("columns are found by name, wherever they are") {
  const auto file = rows_of("id,prediction,audio,system_prompt\n7,p,a.wav,s\n8,q,b.wav\n");
  REQUIRE(file.rows.size() == 2);
  CHECK(file.rows[0].audio == "a.wav");
  CHECK(file.rows[0].prediction == "p");
  CHECK(file.rows[0].system_prompt == "s");
  CHECK_FALSE(file.rows[0].user_prompt);
  CHECK_FALSE(file.rows[1].system_prompt);  // the record breaks off before it
  CHECK(file.rows[1].number == 2);
  CHECK(file.rows[1].line == 3);
  CHECK(file.problems.empty());
}

TEST_CASE("a record with too many fields is a bad row") {
  const auto file = rows_of("audio,prediction\na,b\na,b,c\n");
  REQUIRE(file.problems.size() == 1);
  CHECK(file.problems[0].number == 2);
  CHECK(file.problems[0].line == 3);
}

TEST_CASE("a file that cannot be a list of clips is refused, by name") {
  for (const char* text : {"", "audio,prediction\n", "sound,prediction\na,b\n", "audio,audio\na,b\n",
                           "audio\n\xC3\x28\n", "audio\n\"a\n"}) {
    INFO(text);
    CHECK_THROWS_WITH(rows_of(text), Catch::Contains("in.csv"));
  }
}

TEST_CASE("a row's own prompt goes before the default") {
  const auto file = rows_of("audio,user_prompt,prediction\na.wav,own,p\nhttp://h/b.wav,,q\n/c.wav,,r\n");
  const mdl::worker::convert::ConversationDefaults defaults{std::nullopt, "common", "base"};
  CHECK(mdl::worker::convert::audio_of(file.rows[0], defaults) == "base/a.wav");
  CHECK(mdl::worker::convert::audio_of(file.rows[1], defaults) == "http://h/b.wav");
  CHECK(mdl::worker::convert::audio_of(file.rows[2], defaults) == "/c.wav");
  const auto own = mdl::worker::convert::conversation_of(file.rows[0], defaults),
             common = mdl::worker::convert::conversation_of(file.rows[1], defaults);
  REQUIRE(own.size() == 2);
  CHECK(own[0].role == "user");
  CHECK(own[0].content[0].type == "audio");
  CHECK(own[0].content[1].value == "own");
  CHECK(own[1].content[0].value == "p");
  CHECK(common[0].content[1].value == "common");
  CHECK(mdl::worker::convert::conversation_of(file.rows[0], {"system", std::nullopt, ""})[0].role == "system");
}

TEST_CASE("a long list of problems is cut, in the order of rows") {
  std::vector<mdl::worker::convert::RowProblem> problems;
  for (int row = 70; row > 0; --row) { problems.push_back({row, row + 1, "bad"}); }
  const std::string text = mdl::worker::convert::describe_problems(problems, "in.csv");
  CHECK_THAT(text, Catch::StartsWith("70 problems in the rows of in.csv:\n  row 1 (line 2): bad"));
  CHECK_THAT(text, Catch::EndsWith("and 20 more"));
}

TEST_CASE("a file that cannot be read is a mistake of the command line, which names it") {
  const mdl::test::TempDir folder;
  CHECK_THROWS_AS(mdl::worker::convert::read_rows(folder.path() / "nowhere.csv"), mdl::UsageError);
  CHECK_THROWS_AS(mdl::worker::convert::read_rows(folder.path()), mdl::UsageError);
}
