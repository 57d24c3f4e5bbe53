#include "launcher/process/stop_signals.hpp"

#include <signal.h>

#include <csignal>
#include <utility>

#include "launcher/command_line/signal_names.hpp"

namespace mdl::launcher::process {

StopSignals::StopSignals(asio::io_context& io, const std::string& names, std::function<void()> on_signal)
    : signals_(io), on_signal_(std::move(on_signal)) {
  for (const int signo : command_line::parse_signals(names)) {
    if (signo != SIGHUP || !command_line::is_ignored(SIGHUP)) {
      signals_.add(signo);
      numbers_.push_back(signo);
    }
  }
  follow();
}

void StopSignals::ignore() {
  sigset_t all;
  sigset_t before;
  sigemptyset(&all);
  for (const int signo : numbers_) { sigaddset(&all, signo); }
  // Between the two, what asio leaves behind is the default.
  pthread_sigmask(SIG_BLOCK, &all, &before);
  signals_.clear();
  for (const int signo : numbers_) { std::signal(signo, SIG_IGN); }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
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
