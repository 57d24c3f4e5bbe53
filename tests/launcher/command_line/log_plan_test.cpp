#include "launcher/command_line/log_plan.hpp"

#include <catch2/catch.hpp>

using namespace mdl;
using namespace mdl::launcher::command_line;
using Words = std::vector<std::string>;

TEST_CASE("streams are chosen for all ranks or by local rank, and anything else is refused") {
  const auto both = parse_stream_choice("3");
  REQUIRE(both);
  CHECK(both->includes(7, Stream::out));
  CHECK(both->includes(7, Stream::err));
  const auto some = parse_stream_choice("0:3,1:2,4:0");
  REQUIRE(some);
  CHECK(some->includes(0, Stream::out));
  CHECK_FALSE(some->includes(1, Stream::out));
  CHECK(some->includes(1, Stream::err));
  CHECK_FALSE(some->includes(2, Stream::err));
  for (const char* wrong : {"", "4", "x", "0:4", "0:1,", ",0:1", "0:1;1:1", "10:1", "0:", "0", "0 "}) {
    CHECK(parse_stream_choice(wrong).has_value() == (std::string(wrong) == "0"));
  }
}

TEST_CASE("a doubled comma stands for a comma within a filter") {
  CHECK(parse_filters("apple,orange") == Words{"apple", "orange"});
  CHECK(parse_filters("a,,b,c") == Words{"a,b", "c"});
  CHECK(parse_filters("one") == Words{"one"});
}

TEST_CASE("a redirected stream goes to its file, a tee'd one to both, and others to the console") {
  LogOptions options;
  options.redirects = *parse_stream_choice("0:1");
  options.tee = *parse_stream_choice("0:2");
  const StreamRoute out = route_of(options, 0, Stream::out);
  CHECK(out.to_file);
  CHECK_FALSE(out.to_console);
  const StreamRoute err = route_of(options, 0, Stream::err);
  CHECK(err.to_file);
  CHECK(err.to_console);
  CHECK(err.prefixed);
  const StreamRoute other = route_of(options, 1, Stream::out);
  CHECK_FALSE(other.to_file);
  CHECK(other.to_console);
  CHECK_FALSE(other.prefixed);
}

TEST_CASE("the ranks filter hides a worker from the console and from the filtered files, not from its own file") {
  LogOptions options;
  options.tee = *parse_stream_choice("3");
  options.local_ranks_filter = {1};
  options.duplicate_filters[0] = {"word"};
  CHECK(route_of(options, 1, Stream::out).to_console);
  CHECK(route_of(options, 1, Stream::out).duplicated);
  CHECK_FALSE(route_of(options, 1, Stream::err).duplicated);
  const StreamRoute hidden = route_of(options, 0, Stream::out);
  CHECK(hidden.to_file);
  CHECK_FALSE(hidden.to_console);
  CHECK_FALSE(hidden.duplicated);
  options.tee = {};
  CHECK_FALSE(route_of(options, 0, Stream::err).to_console);
}

TEST_CASE("/dev/null as the log folder means no files at all") {
  LogOptions options;
  options.log_dir = "/dev/null";
  options.tee = *parse_stream_choice("3");
  const StreamRoute route = route_of(options, 0, Stream::out);
  CHECK_FALSE(route.to_file);
  CHECK(route.to_console);
}

TEST_CASE("the prefix of a tee'd line names role and local rank, or what the template says") {
  LogOptions options;
  CHECK(line_prefix(options, "trainer", 1, 5, "host") == "[trainer1]:");
  options.line_prefix_template = "${hostname}:${rank}/${local_rank} ${role_name} ${other}: ";
  CHECK(line_prefix(options, "trainer", 1, 5, "host") == "host:5/1 trainer ${other}: ");
}
