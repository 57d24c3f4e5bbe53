#include "launcher/signal_names.hpp"

#include <signal.h>
#include <string.h>

#include "common/error.hpp"
#include "common/str_cat.hpp"

namespace mdl::launcher {

std::string signal_name(int signo) {
  const char* name = ::sigabbrev_np(signo);
  return name ? str_cat("SIG", name) : str_cat("signal ", signo);
}

std::optional<int> signal_number(const std::string& name) {
  for (int signo = 1; signo < NSIG; ++signo) {
    if (::sigabbrev_np(signo) && signal_name(signo) == name) return signo;
  }
  return std::nullopt;
}

std::vector<int> parse_signals(const std::string& list) {
  std::vector<int> signals;
  for (std::size_t begin = 0; begin <= list.size();) {
    const std::size_t end = std::min(list.find(',', begin), list.size());
    std::string name = list.substr(begin, end - begin);
    name.erase(0, name.find_first_not_of(' '));
    name.erase(name.find_last_not_of(' ') + 1);
    const auto signo = signal_number(name);
    if (!signo) {
      throw UsageError(str_cat("--signals-to-handle: \"", name, "\" is not the name of a signal"),
                       "Write names with commas between them, as in SIGTERM,SIGINT,SIGUSR1.");
    }
    if (*signo == SIGKILL || *signo == SIGSTOP) {
      throw UsageError(str_cat("--signals-to-handle: no program can handle ", name), "Leave it out.");
    }
    signals.push_back(*signo);
    begin = end + 1;
  }
  return signals;
}

bool is_ignored(int signo) {
  struct sigaction action {};
  return ::sigaction(signo, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

}  // namespace mdl::launcher
