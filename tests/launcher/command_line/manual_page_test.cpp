#include "launcher/command_line/manual_page.hpp"

#include <catch2/catch.hpp>

using namespace mdl::launcher::command_line;
using Catch::Contains;

namespace {

const OptionTable& made_up_table() {
  static const OptionTable table("mdl-launch doctor", {{"Main", {{"log-dir", "DIR", ".a folder\\", 'l'}}},
                                                       {"Refused", {{"old", "", "gone", 0, false, true}}}});
  return table;
}

}  // namespace

TEST_CASE("a manual page has the usage, the description and the options that --help shows") {
  const std::string page = manual_page({.name = "doctor",
                                        .usage = "Usage: mdl-launch doctor [--log-dir DIR]\n       mdl-launch doctor\n",
                                        .description = "One.\n\n'Two.",
                                        .options = &made_up_table(),
                                        .ending = "Exit codes: 0"});
  CHECK_THAT(page, Catch::StartsWith(".TH MDL-LAUNCH-DOCTOR 1 "));
  CHECK_THAT(page, Contains("\n.nf\nmdl\\-launch doctor [\\-\\-log\\-dir DIR]\nmdl\\-launch doctor\n.fi\n"));
  CHECK_THAT(page, Contains("\nOne.\n.PP\n\\&'Two.\n"));
  // A line of text never begins with a point, which would make a request of it, and a backslash stays one.
  CHECK_THAT(page, Contains("\n.TP\n\\fB\\-l\\fR, \\fB\\-\\-log\\-dir\\fR \\fIDIR\\fR\n\\&.a folder\\e\n"));
  CHECK_THAT(page, !Contains("Refused") && !Contains("gone"));
  CHECK_THAT(page, Contains(".SH NOTES\nExit codes: 0\n") && Contains(".BR mdl\\-launch (1),\n"));
}
