#include <string>
#include <vector>

#include "common/log.hpp"
#include "worker/cli.hpp"

int main(int argc, char** argv) {
  mdl::log::set_program("mdl-toolkit");
  return mdl::run_toolkit(std::vector<std::string>(argv + 1, argv + argc));
}
