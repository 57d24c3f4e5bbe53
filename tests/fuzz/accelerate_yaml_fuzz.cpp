// A configuration file of accelerate's, resolved to a launch on a machine with four GPUs.
#include <string>

#include "common/error.hpp"
#include "launcher/accelerate/launch_plan.hpp"
#include "tests/fuzz/fuzz_input.hpp"

using namespace mdl;
using namespace mdl::launcher::accelerate;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const mdl::launcher::machine::MachineFacts machine{
      {}, [] { return 4; }, [] { return 16; }, [](int) { return std::nullopt; }, [] { return 40001; }};
  static const LaunchOptions options = parse_launch_options({"program", "argument"});
  try {
    const ClusterConfig config = parse_config(std::string(mdl::fuzz::text_of(data, size)), "conf.yaml");
    const LaunchPlan plan = resolve_plan(options, &config, machine);
    mdl::fuzz::claim(plan.nproc_per_node >= 1, "a launch starts something");
    mdl::fuzz::claim(!plan.simple_command("python3").empty() && !plan.launcher_arguments().empty(),
                     "a plan is a command");
    plan.to_json().dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
  } catch (const mdl::Error&) {}
  return 0;
}
