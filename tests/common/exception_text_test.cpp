#include "common/exception_text.hpp"

#include <catch2/catch.hpp>
#include <new>
#include <stdexcept>
#include <string>

TEST_CASE("memory that runs out is told in words, and other errors in their own") {
  for (const std::string& text :
       {mdl::describe_exception(std::bad_alloc()), mdl::describe_exception(std::bad_array_new_length()),
        mdl::describe_exception(std::length_error("vector::_M_default_append"))}) {
    CHECK_THAT(text, Catch::StartsWith("out of memory: ") && !Catch::Contains("std::") && !Catch::Contains("vector"));
  }
  CHECK(mdl::describe_exception(std::runtime_error("no such file")) == "no such file");
}
