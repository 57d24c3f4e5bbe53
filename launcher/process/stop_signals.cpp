#include "launcher/process/stop_signals.hpp"

#include <signal.h>

#include <utility>

#include "launcher/command_line/signal_names.hpp"

namespace mdl::launcher::process {

StopSignals::StopSignals(asio::io_context& io, const std::string& names, std::function<void()> on_signal)
    : signals_(io), on_signal_(std::move(on_signal)) {
  for (const int signo : command_line::parse_signals(names)) {
    if (signo != SIGHUP || !command_line::is_ignored(SIGHUP)) { signals_.add(signo); }
  }
  follow();
}

void StopSignals::follow() {
  signals_.async_wait([this](boost::system::error_code error, int signo) {
    if (error) { return; }
    if (signo != SIGHUP && (stopping_ || last_)) { hurry_ = true; }
    last_ = signo;
    on_signal_();
    follow();
  });
}

}  // namespace mdl::launcher::process
