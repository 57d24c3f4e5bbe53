#include "launcher/command_line/signal_names.hpp"

#include <signal.h>

#include <algorithm>
#include <cctype>

#include "common/error.hpp"
#include "common/join.hpp"
#include "common/nearest_name.hpp"
#include "common/str_cat.hpp"
#include "common/trimmed.hpp"

namespace mdl::launcher::command_line {
namespace {

struct NamedSignal {
  int signo;
  const char* name;
};

/// As glibc's sigabbrev_np names them, which is younger (2.32) than what mdl-launch runs with.
constexpr NamedSignal kSignals[] = {
    {SIGHUP, "HUP"},       {SIGINT, "INT"},   {SIGQUIT, "QUIT"},   {SIGILL, "ILL"},   {SIGTRAP, "TRAP"},
    {SIGABRT, "ABRT"},     {SIGBUS, "BUS"},   {SIGFPE, "FPE"},     {SIGKILL, "KILL"}, {SIGUSR1, "USR1"},
    {SIGSEGV, "SEGV"},     {SIGUSR2, "USR2"}, {SIGPIPE, "PIPE"},   {SIGALRM, "ALRM"}, {SIGTERM, "TERM"},
    {SIGSTKFLT, "STKFLT"}, {SIGCHLD, "CHLD"}, {SIGCONT, "CONT"},   {SIGSTOP, "STOP"}, {SIGTSTP, "TSTP"},
    {SIGTTIN, "TTIN"},     {SIGTTOU, "TTOU"}, {SIGURG, "URG"},     {SIGXCPU, "XCPU"}, {SIGXFSZ, "XFSZ"},
    {SIGVTALRM, "VTALRM"}, {SIGPROF, "PROF"}, {SIGWINCH, "WINCH"}, {SIGPOLL, "POLL"}, {SIGPWR, "PWR"},
    {SIGSYS, "SYS"},
};

std::vector<std::string> all_names() {
  std::vector<std::string> names;
  for (const NamedSignal& signal : kSignals) { names.push_back(str_cat("SIG", signal.name)); }
  return names;
}

}  // namespace

std::string signal_name(int signo) {
  for (const NamedSignal& signal : kSignals) {
    if (signal.signo == signo) { return str_cat("SIG", signal.name); }
  }
  return str_cat("signal ", signo);
}

std::optional<int> signal_number(const std::string& name) {
  std::string word = name;
  std::transform(word.begin(), word.end(), word.begin(), [](unsigned char c) { return std::toupper(c); });
  if (word.starts_with("SIG")) { word.erase(0, 3); }
  for (const NamedSignal& signal : kSignals) {
    if (word == signal.name) { return signal.signo; }
  }
  if (word == "CLD") {
    return SIGCHLD;  // other names that Python's module signal has
  }
  if (word == "IOT") { return SIGABRT; }
  if (word == "IO" || word == "POLL") { return SIGIO; }
  return std::nullopt;
}

std::string signal_list(const std::vector<int>& signals) {
  std::vector<std::string> names;
  for (const int signo : signals) { names.push_back(signal_name(signo)); }
  return joined(names, ",");
}

std::vector<int> parse_signals(const std::string& list) {
  std::vector<int> signals;
  for (std::size_t begin = 0; begin <= list.size();) {
    const std::size_t end = std::min(list.find(',', begin), list.size());
    const std::string name = trimmed(list.substr(begin, end - begin));
    const auto signo = signal_number(name);
    if (!signo) {
      throw UsageError(str_cat("--signals-to-handle: \"", name, "\" is not the name of a signal"),
                       str_cat(did_you_mean(name, all_names()),
                               "Write names with commas between them, as in SIGTERM,SIGINT,SIGUSR1."));
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
  struct sigaction action{};
  return ::sigaction(signo, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

}  // namespace mdl::launcher::command_line
