#include <iostream>
#include <string>
#include <vector>

#include "common/error.hpp"
#include "common/log.hpp"
#include "worker/cli.hpp"

int main(int argc, char** argv) {
  mdl::log::set_program("mdl-toolkit");
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  try {
    return mdl::run_toolkit(arguments);
  } catch (const mdl::Error& error) {
    std::cerr << "mdl-toolkit: error: " << error.what() << '\n';
    return error.exit_code();
  } catch (const std::exception& error) {
    std::cerr << "mdl-toolkit: error: " << error.what() << '\n';
    return mdl::kExitFailure;
  }
}
