#pragma once

#include <optional>
#include <string>
#include <vector>

namespace mdl::launcher::command_line {

/// What --signals-to-handle is without the option, as for torchrun.
inline constexpr const char* kDefaultSignals = "SIGTERM,SIGINT,SIGHUP,SIGQUIT";

/// "SIGTERM" for 15, "signal 64" for one without a name.
std::string signal_name(int signo);

/// 15 for "SIGTERM", and for "TERM" and "sigterm", as kill has it; nullopt for what is no signal's name.
std::optional<int> signal_number(const std::string& name);

/// The signals of "SIGTERM,SIGINT,…". Throws UsageError naming a word that is no signal, or one that nobody can handle.
std::vector<int> parse_signals(const std::string& list);

/// "SIGTERM,SIGINT", the form in which PyTorch reads it.
std::string signal_list(const std::vector<int>& signals);

/// Whether this process ignores a signal, as nohup has it ignore SIGHUP.
bool is_ignored(int signo);

}  // namespace mdl::launcher::command_line
