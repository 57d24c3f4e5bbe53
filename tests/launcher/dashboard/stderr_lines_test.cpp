#include "launcher/dashboard/stderr_lines.hpp"

#include <catch2/catch.hpp>

#include "launcher/output/last_lines.hpp"

using namespace mdl::launcher::dashboard;
using mdl::launcher::output::LastLines;

TEST_CASE("a question for lines and its answer come back from the store as they were") {
  const LinesRequest request{"0123456789abcdef", 7, 3};
  CHECK(lines_request_from_text(to_text(request)) == request);
  const LinesAnswer answer{7, {"Traceback:", "  ValueError: \"x\" \\ é", ""}};
  CHECK(lines_answer_from_text(to_text(answer)) == answer);
}

TEST_CASE("lines are printable and few, whoever has written them") {
  LinesAnswer answer{1, std::vector<std::string>(100, "x")};
  answer.lines.back() = "a\x1b[2Jb\xff" + std::string(5000, '"');
  for (const LinesAnswer& read :
       {*lines_answer_from_text(to_text(answer)), *lines_answer_from_text(R"([1,1,["a\u001b[2Jb"],"later"])")}) {
    CHECK((read.lines.size() <= LastLines::kLines && read.lines.back().starts_with("ab")));
    CHECK(read.lines.back().size() <= LastLines::kLineBytes);
  }
  for (const char* wrong : {"", "{}", "[1]", "[1,1]", "[2,1,[]]", R"([1,-1,[]])", "[1,1,[7]]", R"([1,1,"x"])"}) {
    CAPTURE(wrong);
    CHECK_FALSE(lines_answer_from_text(wrong));
  }
  CHECK_FALSE(lines_answer_from_text("[1,1,[\"" + std::string(200'000, 'x') + "\"]]"));
  for (const char* wrong :
       {"", "[]", R"([1,"../x",1,1])", R"([1,"",1,1])", R"([1,"ab",-1,1])", R"([1,"ab",1,1e9])",
        R"([1,"ab",1,99999999999])", R"([2,"ab",1,1])", "[1,7,1,1]", R"([1,"ab",1])", R"([1,"ab",9007199254740993,1])",
        R"([1,"ab",1,1000000001])", R"([1,"0123456789abcdef0123456789abcdef0",1,1])"}) {
    CAPTURE(wrong);
    CHECK_FALSE(lines_request_from_text(wrong));
  }
  const std::string largest = R"([1,"0123456789abcdef0123456789abcdef",9007199254740992,1000000000])";
  CHECK(lines_request_from_text(largest + std::string(256 - largest.size(), ' ')));
  CHECK_FALSE(lines_request_from_text(largest + std::string(257 - largest.size(), ' ')));
  const std::size_t limit = 4 * LastLines::kLines * LastLines::kLineBytes;
  CHECK(lines_answer_from_text("[1,1,[]]" + std::string(limit - 8, ' ')));
  CHECK_FALSE(lines_answer_from_text("[1,1,[]]" + std::string(limit - 7, ' ')));
}
