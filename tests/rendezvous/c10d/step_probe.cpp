// Makes one rendezvous decision for each line of its input, for tests in Python that compare them with torch's:
//   INTENT ADDR PID LOCAL_ID UTC_MICROSECONDS OVERDUE_MICROSECONDS MIN MAX LAST_CALL_S INTERVAL_S ATTEMPTS STATE
// and writes: ACTION RENEWS_DEADLINE STATE
#include <iostream>
#include <map>
#include <sstream>
#include <string>

#include "rendezvous/c10d/rendezvous_step.hpp"

int main() {
  using namespace mdl;
  using namespace mdl::rendezvous::c10d;
  const std::map<std::string, RendezvousIntent> intents{{"join", RendezvousIntent::join},
                                                        {"rejoin", RendezvousIntent::rejoin},
                                                        {"leave", RendezvousIntent::leave},
                                                        {"close", RendezvousIntent::close},
                                                        {"keep_alive", RendezvousIntent::keep_alive}};
  const std::map<RendezvousAction, std::string> actions{
      {RendezvousAction::write, "write"},         {RendezvousAction::wait, "wait"},
      {RendezvousAction::done, "done"},           {RendezvousAction::closed, "closed"},
      {RendezvousAction::timed_out, "timed_out"}, {RendezvousAction::left_out, "left_out"}};
  std::string line;
  while (std::getline(std::cin, line)) {
    std::istringstream in(line);
    std::string intent;
    NodeDesc self;
    std::int64_t utc = 0;
    std::int64_t overdue = 0;
    RendezvousSettings settings;
    std::int64_t last_call = 0;
    std::int64_t interval = 0;
    std::string stored;
    in >> intent >> self.addr >> self.pid >> self.local_id >> utc >> overdue >> settings.min_nodes >>
        settings.max_nodes >> last_call >> interval >> settings.keep_alive_max_attempt >> stored;
    if (!in) { return 1; }
    settings.last_call_timeout = std::chrono::seconds(last_call);
    settings.keep_alive_interval = std::chrono::seconds(interval);
    const std::chrono::steady_clock::time_point steady{std::chrono::hours(1)};
    const RendezvousMoment now{RendezvousTime(std::chrono::microseconds(utc)), steady};
    const RendezvousStep step = rendezvous_step(decode_rendezvous_state(stored), self, intents.at(intent), now,
                                                steady - std::chrono::microseconds(overdue), settings);
    std::cout << actions.at(step.action) << ' ' << step.renews_deadline << ' ' << encode_rendezvous_state(step.state)
              << '\n';
  }
}
