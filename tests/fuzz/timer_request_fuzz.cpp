// What the watchdog makes of the bytes that come through its FIFO, in pieces of any size.
#include <cmath>
#include <limits>

#include "launcher/watchdog/timer_book.hpp"
#include "launcher/watchdog/timer_request.hpp"
#include "tests/fuzz/fuzz_input.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mdl;
  using namespace mdl::launcher::watchdog;
  using mdl::fuzz::claim;
  if (size == 0) { return 0; }
  const std::size_t piece = 1 + data[0] * std::size_t{16};
  const std::string_view bytes = mdl::fuzz::text_of(data + 1, size - 1);
  RequestLines lines;
  TimerBook book;
  const TimerBook::Time now{std::chrono::hours(1)};
  constexpr double kNow = 1.7e9;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    lines.feed(bytes.substr(at, piece), [&](std::string_view line) {
      claim(line.size() <= RequestLines::kLongest, "a line is bounded");
      const auto request = parse_timer_request(line);
      if (!request) { return; }
      claim(request->pid > 0 && request->signal >= 0, "a request names a process, and a signal or none");
      claim(!std::isnan(request->expiration_time), "a time is a number");
      book.take(*request, static_cast<std::uint64_t>(request->pid % 3), now, kNow);
    });
    claim(lines.held() <= RequestLines::kLongest, "what is held is bounded");
    claim(book.size() <= TimerBook::kMost, "the number of timers is bounded");
  }
  for (const auto& expired : book.take_expired(now)) { claim(!expired.scopes.empty(), "what expires has a name"); }
  claim(book.size() == 0 || *book.next() > now, "what is left expires later");
  book.take_expired(TimerBook::Time::max());
  claim(book.size() == 0, "in the end everything expires");
  return 0;
}
