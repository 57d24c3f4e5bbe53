#include "worker/generation/answer_journal.hpp"

#include <catch2/catch.hpp>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "tests/temp_dir.hpp"

using Catch::Contains;
using mdl::worker::generation::AnswerJournal;
using mdl::worker::generation::Answers;

TEST_CASE("a later run of the same work finds the answers, whatever their text") {
  const mdl::test::TempDir folder;
  const Answers answers = {{1, "a bell"}, {7, "two\nlines, \"quoted\""}, {9, ""}};
  AnswerJournal(folder.path() / "out.csv", "f1").add(answers);
  const AnswerJournal again(folder.path() / "out.csv", "f1");
  CHECK(again.answers() == answers);
  CHECK(again.found() == 3);
}

TEST_CASE("an answer that was cut off in the middle is dropped, the others stay, and the file can be gone on with") {
  const mdl::test::TempDir folder;
  const auto output = folder.path() / "out.csv";
  AnswerJournal(output, "f1").add({{1, "one"}, {2, "two"}});
  const std::string whole = mdl::read_text(output.string() + ".partial");
  for (const std::size_t cut : {1U, 5U, 20U}) {
    mdl::write_text_atomically(output.string() + ".partial", whole.substr(0, whole.size() - cut));
    AnswerJournal(output, "f1").add({{3, "three"}});
    CHECK(AnswerJournal(output, "f1").answers() == Answers{{1, "one"}, {3, "three"}});
  }
}

TEST_CASE("answers to other rows or of another model are not taken") {
  const mdl::test::TempDir folder;
  AnswerJournal(folder.path() / "out.csv", "f1").add({{1, "old"}});
  {
    AnswerJournal other(folder.path() / "out.csv", "f2");
    CHECK(other.answers().empty());
    other.add({{2, "new"}});
  }
  CHECK(AnswerJournal(folder.path() / "out.csv", "f2").answers() == Answers{{2, "new"}});
}

TEST_CASE("somebody else's file of that name is left alone") {
  const mdl::test::TempDir folder;
  mdl::write_text_atomically(folder.path() / "out.csv.partial", "my notes\nof today\n");
  CHECK_THROWS_WITH(AnswerJournal(folder.path() / "out.csv", "f1"),
                    Contains("it is not of this mdl-toolkit's inference or evaluate"));
  CHECK(mdl::read_text(folder.path() / "out.csv.partial") == "my notes\nof today\n");
}

TEST_CASE("two runs cannot write to the same output") {
  const mdl::test::TempDir folder;
  const AnswerJournal first(folder.path() / "out.csv", "f1");
  CHECK_THROWS_WITH(AnswerJournal(folder.path() / "out.csv", "f1"), Contains("another process"));
}
