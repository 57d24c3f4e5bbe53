// A Trainer's log, as trainer_state.json, as log.jsonl or as our sidecar, and the page that comes of it.
#include <string>
#include <vector>

#include "common/error.hpp"
#include "tests/fuzz/fuzz_input.hpp"
#include "worker/reports/page/log_reader.hpp"
#include "worker/reports/page/page.hpp"

using namespace mdl::worker::reports::page;

namespace {

template <typename Read>
void draw(const Read& read) {
  try {
    RunHistory run = read();
    run.name = "run";
    const std::string page = page_html({run}, {}), both = page_html({run, run}, {});
    mdl::fuzz::claim(page.find("<script") == std::string::npos && both.find("<script") == std::string::npos,
                     "a page has no script");
    mdl::fuzz::claim(page.ends_with("</html>\n"), "a page is whole");
  } catch (const mdl::UsageError&) {}
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(mdl::fuzz::text_of(data, size));
  draw([&] { return read_trainer_state(text, "trainer_state.json"); });
  draw([&] { return read_log_lines(text, "log.jsonl"); });
  draw([&] {
    RunHistory run;
    run.sidecar = parse_sidecar(text, kSidecarFile);
    return run;
  });
  return 0;
}
