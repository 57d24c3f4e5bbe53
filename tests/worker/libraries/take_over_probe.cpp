// Prints what a program that mdl-toolkit has started sees of it: before and after take_over().
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "worker/libraries/hand_over.hpp"
#include "worker/libraries/take_over.hpp"

namespace {

const std::string at_start = std::filesystem::current_path().string();

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "(none)";
}

}  // namespace

int main(int argc, char** argv) {
  std::cout << "at start " << at_start << '\n' << "given " << variable("LD_LIBRARY_PATH") << '\n';
  mdl::worker::libraries::take_over();
  std::cout << "then " << std::filesystem::current_path().string() << '\n'
            << "path " << variable("LD_LIBRARY_PATH") << '\n'
            << "start " << variable(mdl::worker::libraries::kStartVariable) << '\n'
            << "front " << mdl::worker::libraries::front_program() << ' '
            << variable(mdl::worker::libraries::kFrontVariable) << '\n'
            << "arguments " << argc << ' ' << argv[argc - 1] << '\n';
}
