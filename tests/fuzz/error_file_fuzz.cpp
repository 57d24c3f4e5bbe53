// What the launcher makes of the file in which a worker says why it failed.
#include <string>

#include "launcher/report/error_file.hpp"
#include "tests/fuzz/fuzz_input.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mdl;
  using namespace mdl::launcher::report;
  const std::string text(mdl::fuzz::text_of(data, size));
  const auto error = parse_error(text);
  const auto passed_on = with_exit_code(text, -9);
  if (error) {
    mdl::fuzz::claim(passed_on.has_value(), "what is understood can be passed on");
    const auto again = parse_error(*passed_on);
    mdl::fuzz::claim(again && again->message == error->message, "what is passed on says the same");
  }
  return 0;
}
