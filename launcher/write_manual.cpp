// write_manual FOLDER: the manual pages of mdl-launch and its commands in FOLDER/man1, and what shells need to complete
// its command lines in FOLDER/completions. scripts/package.sh runs it; it is not installed.

#include <cstdio>
#include <filesystem>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "launcher/all_commands.hpp"
#include "launcher/command_line/completion.hpp"
#include "launcher/command_line/manual_page.hpp"

int main(int argc, char** argv) {
  using namespace mdl::launcher;
  if (argc != 2) {
    std::fputs("usage: write_manual FOLDER\n", stderr);
    return mdl::kExitUsage;
  }
  try {
    const std::filesystem::path folder = argv[1];
    std::filesystem::create_directories(folder / "man1");
    std::filesystem::create_directories(folder / "completions");
    for (const command_line::CommandHelp& help : all_commands()) {
      mdl::write_text_atomically(folder / "man1" / (page_name(help) + ".1"), manual_page(help));
    }
    for (const char* shell : {"bash", "zsh", "fish", "tcsh"}) {
      mdl::write_text_atomically(folder / "completions" / shell, completion_script(shell, all_commands()));
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "write_manual: %s\n", error.what());
    return mdl::kExitFailure;
  }
  return 0;
}
