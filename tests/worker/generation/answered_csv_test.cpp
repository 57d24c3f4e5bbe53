#include "worker/generation/answered_csv.hpp"

#include <catch2/catch.hpp>

#include "worker/generation/batch_plan.hpp"

TEST_CASE("a field is quoted where Python's csv.writer quotes it") {
  CHECK(mdl::worker::generation::csv_field("plain text") == "plain text");
  CHECK(mdl::worker::generation::csv_field("a,b") == "\"a,b\"");
  CHECK(mdl::worker::generation::csv_field("say \"hi\"") == "\"say \"\"hi\"\"\"");
  CHECK(mdl::worker::generation::csv_field("two\nlines") == "\"two\nlines\"");
  CHECK(mdl::worker::generation::csv_field("") == "");
}

TEST_CASE("answers get a column of their own behind the others, or replace what is in it") {
  const auto fresh = mdl::worker::dataset::parse_csv("audio,note\na.wav,\"x,y\"\nb.wav\n");
  CHECK(mdl::worker::generation::answered_csv(fresh, {{1, "one"}, {2, "two, 2"}}) ==
        "audio,note,prediction\r\na.wav,\"x,y\",one\r\nb.wav,,\"two, 2\"\r\n");
  const auto used = mdl::worker::dataset::parse_csv("prediction,audio\nold,a.wav\n,b.wav\n");
  CHECK(mdl::worker::generation::answered_csv(used, {{1, "new"}, {2, ""}}) ==
        "prediction,audio\r\nnew,a.wav\r\n,b.wav\r\n");
}

TEST_CASE("what is written reads back the same") {
  const auto records = mdl::worker::dataset::parse_csv("audio\na.wav\nb.wav\n");
  const mdl::worker::generation::Answers answers = {{1, "\"\r\n,\""}, {2, " spaces "}};
  const auto back = mdl::worker::dataset::parse_csv(mdl::worker::generation::answered_csv(records, answers));
  REQUIRE(back.size() == 3);
  CHECK(back[1].fields[1] == answers.at(1));
  CHECK(back[2].fields[1] == answers.at(2));
}

TEST_CASE("rows of similar length are answered together, the longest first, each once") {
  using Batches = std::vector<std::vector<std::size_t>>;
  CHECK(mdl::worker::generation::plan_batches({5, 9, 1, 9, 7}, {0, 1, 2, 3, 4}, 2) == Batches{{1, 3}, {4, 0}, {2}});
  CHECK(mdl::worker::generation::plan_batches({5, 9, 1, 9, 7}, {2, 4}, 8) == Batches{{4, 2}});
  CHECK(mdl::worker::generation::plan_batches({5}, {}, 4).empty());
}
