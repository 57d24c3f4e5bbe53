// LD_PRELOADed: the wall clock is MDL_TEST_CLOCK_AHEAD seconds ahead; all other clocks are the machine's. Hosts made of
// namespaces share one clock, which Linux cannot divide.
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>

extern "C" int clock_gettime(clockid_t clock, timespec* time) noexcept {
  const long result = ::syscall(SYS_clock_gettime, clock, time);
  const char* ahead = clock == CLOCK_REALTIME ? std::getenv("MDL_TEST_CLOCK_AHEAD") : nullptr;
  if (result == 0 && ahead) time->tv_sec += std::atoi(ahead);
  return static_cast<int>(result);
}
