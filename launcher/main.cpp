#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <exception>

#include "common/error.hpp"
#include "common/log.hpp"
#include "launcher/agent.hpp"
#include "launcher/gpu_count.hpp"
#include "launcher/launch_command.hpp"
#include "launcher/options.hpp"
#include "launcher/store_plan.hpp"

namespace {

std::optional<std::string> variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value ? std::optional<std::string>(value) : std::nullopt;
}

int launch(const mdl::launcher::LaunchOptions& options) {
  using namespace mdl::launcher;
  LaunchPlan plan;
  plan.store = plan_store(options, make_uuid());
  plan.command = make_launch_command(options, variable);
  plan.local_world_size = count_workers(options.nproc_per_node, variable("CUDA_VISIBLE_DEVICES"));
  plan.max_restarts = options.max_restarts;
  plan.role = options.role;
  for (char** entry = ::environ; *entry; ++entry) plan.environment.emplace_back(*entry);
  return run_agent(plan);
}

}  // namespace

int main(int argc, char** argv) {
  mdl::log::set_program("mdl-launch");
  try {
    const auto parsed = mdl::launcher::parse_command_line({argv + 1, argv + argc}, variable);
    if (parsed.text) return std::fputs(parsed.text->c_str(), stdout) < 0 || std::fflush(stdout) != 0 ? 1 : 0;
    return launch(parsed.options);
  } catch (const mdl::Error& error) {
    std::fprintf(stderr, "mdl-launch: error: %s\n", error.what());
    return error.exit_code();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "mdl-launch: error: %s\n", error.what());
    return mdl::kExitFailure;
  }
}
