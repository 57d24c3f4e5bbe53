#include "common/exception_text.hpp"

#include <catch2/catch.hpp>
#include <new>
#include <stdexcept>
#include <string>

#include "common/error.hpp"

TEST_CASE("memory that runs out is told in words, and other errors in their own") {
  for (const std::string& text :
       {mdl::describe_exception(std::bad_alloc()), mdl::describe_exception(std::bad_array_new_length()),
        mdl::describe_exception(std::length_error("vector::_M_default_append"))}) {
    CHECK_THAT(text, Catch::StartsWith("out of memory: ") && !Catch::Contains("std::") && !Catch::Contains("vector"));
  }
  CHECK(mdl::describe_exception(std::runtime_error("no such file")) == "no such file");
}

TEST_CASE("an exception that is kept as an Error keeps problem, advice and exit code") {
  const mdl::UsageError usage("no folder /x", "Make it.");
  const mdl::Error kept = mdl::as_error(usage);
  CHECK(kept.problem() == "no folder /x");
  CHECK(kept.advice() == "Make it.");
  CHECK(kept.exit_code() == mdl::kExitUsage);

  const mdl::Error memory = mdl::as_error(std::bad_alloc());
  CHECK_THAT(memory.problem(), Catch::StartsWith("out of memory: ") && !Catch::Contains("\n"));
  CHECK_FALSE(memory.advice().empty());
  CHECK(memory.exit_code() == mdl::kExitFailure);
  CHECK(mdl::as_error(std::runtime_error("two\nlines")).problem() == "two\nlines");
}
