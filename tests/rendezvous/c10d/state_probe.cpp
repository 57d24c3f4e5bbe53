// Reads stored rendezvous states, one a line, and writes each again as we store it, for tests in Python.
#include <iostream>
#include <string>

#include "rendezvous/c10d/rendezvous_state.hpp"

int main() {
  std::string line;
  while (std::getline(std::cin, line)) {
    try {
      std::cout << mdl::rendezvous::c10d::encode_rendezvous_state(mdl::rendezvous::c10d::decode_rendezvous_state(line))
                << '\n';
    } catch (const mdl::Error& error) { std::cout << "error: " << error.what() << std::endl; }
  }
}
