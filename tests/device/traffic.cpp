#include "tests/device/traffic.hpp"

#include <c10/util/Backtrace.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <sstream>
#include <vector>

#include "common/str_cat.hpp"

namespace mdl::test::device {
namespace {

constexpr size_t kMostFrames = 64;

struct KeptWait {
  Wait wait;
  std::string what;
  c10::Backtrace stack;  ///< names of functions are looked up when they are wanted
};

struct Ledger {
  std::mutex mutex;
  Traffic traffic;
  std::vector<KeptWait> waits;
};

Ledger& ledger() {
  static Ledger* const only = new Ledger;  // threads of LibTorch may outlive static objects
  return *only;
}

/// "frame #7: mdl::worker::f(int) + 0x12 (0x55 in PROGRAM)" becomes "mdl::worker::f"; empty for others' code.
std::string project_function(const std::string& line) {
  const size_t begin = line.find("mdl::");
  if (begin == std::string::npos || line.find("mdl::test::device::") != std::string::npos) { return {}; }
  return line.substr(begin, line.find_first_of("(+", begin) - begin);
}

std::string project_functions(const std::string& stack) {
  std::istringstream lines(stack);
  std::string functions;
  for (std::string line; std::getline(lines, line);) {
    if (const std::string name = project_function(line); !name.empty()) { functions += "\n      " + name; }
  }
  return functions;
}

}  // namespace

Traffic Traffic::operator-(const Traffic& other) const {
  return {kernels - other.kernels, host_reads - other.host_reads, blocking_copies - other.blocking_copies,
          other_copies - other.other_copies};
}

Traffic traffic() {
  const std::lock_guard lock(ledger().mutex);
  return ledger().traffic;
}

void count_kernel() {
  const std::lock_guard lock(ledger().mutex);
  ++ledger().traffic.kernels;
}

void count_other_copy() {
  const std::lock_guard lock(ledger().mutex);
  ++ledger().traffic.other_copies;
}

void count_wait(Wait wait, const std::string& what) {
  c10::Backtrace stack = c10::get_lazy_backtrace(/*frames_to_skip=*/1, kMostFrames);
  const std::lock_guard lock(ledger().mutex);
  ++(wait == Wait::host_read ? ledger().traffic.host_reads : ledger().traffic.blocking_copies);
  ledger().waits.push_back({wait, what, std::move(stack)});
}

void forget_stacks() {
  const std::lock_guard lock(ledger().mutex);
  ledger().waits.clear();
}

std::string describe_waits(Wait wait) {
  std::vector<KeptWait> kept;
  {
    const std::lock_guard lock(ledger().mutex);
    kept = ledger().waits;
  }
  std::map<std::string, int64_t> places;
  for (const KeptWait& each : kept) {
    if (each.wait == wait) { ++places[str_cat(each.what, project_functions(each.stack->get()))]; }
  }
  std::string text;
  for (const auto& [place, times] : places) { text += str_cat("\n  ", times, " x ", place); }
  return text;
}

}  // namespace mdl::test::device
