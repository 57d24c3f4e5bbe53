#include "launcher/hang/process_look.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/parse_number.hpp"
#include "common/process_stat.hpp"
#include "common/str_cat.hpp"
#include "common/unique_fd.hpp"
#include "launcher/process/process_tree.hpp"

namespace mdl::launcher::hang {
namespace {

constexpr int kMostThreads = 512;            // of a process, that are looked at
constexpr double kComputes = 0.5;            // of the time that it was looked at
constexpr std::size_t kMostOfWorker = 1000;  // processes of a worker

/// A short file of /proc without the line's end; empty where it cannot be read.
std::string read_word(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 128> text{};
  const ssize_t n = fd ? ::read(fd.get(), text.data(), text.size()) : 0;
  std::string word(text.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
  while (!word.empty() && word.back() == '\n') { word.pop_back(); }
  return word;
}

/// Calls `look` with each of the first threads of a process.
template <typename Look>
void look_at_threads(pid_t pid, Look look) {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(str_cat("/proc/", pid, "/task").c_str()), ::closedir);
  int looked = 0;
  while (const dirent* entry = folder ? ::readdir(folder.get()) : nullptr) {
    const auto thread = parse_digits<pid_t>(entry->d_name);
    if (!thread || ++looked > kMostThreads) { continue; }
    look(*thread);
  }
}

/// The state of a process that says most of those of its threads: it runs if one of them runs.
char state_with_threads(pid_t pid, const ProcessStat& process) {
  if (process.state != 'S' || process.threads <= 1) { return process.state; }
  char state = process.state;
  look_at_threads(pid, [&](pid_t thread) {
    const auto stat = thread_stat(pid, thread);
    const bool says_more =
        stat && (stat->state == 'R' || stat->state == 'D') && weight_of_state(stat->state) > weight_of_state(state);
    if (says_more) { state = stat->state; }
  });
  return state;
}

/// How long the threads of a process have had to wait for a CPU since they started: the second number of schedstat
/// (Documentation/scheduler/sched-stats.rst); 0 where the kernel does not count it.
std::uint64_t queued_ns(pid_t pid) {
  std::uint64_t sum = 0;
  look_at_threads(pid, [&](pid_t thread) {
    const std::string numbers = read_word(str_cat("/proc/", pid, "/task/", thread, "/schedstat"));
    const std::size_t first = numbers.find(' ');
    const std::size_t second = first == std::string::npos ? first : numbers.find(' ', first + 1);
    if (second == std::string::npos) { return; }
    const std::string_view text(numbers);
    sum += parse_digits<std::uint64_t>(text.substr(first + 1, second - first - 1)).value_or(0);
  });
  return sum;
}

double seconds_of(std::uint64_t ticks) {
  static const double per_second = static_cast<double>(::sysconf(_SC_CLK_TCK));
  return static_cast<double>(ticks) / per_second;
}

/// "do_signal_stop"; empty where this user may not know, or it computes.
std::string kernel_place(pid_t pid) {
  std::string place = read_word(str_cat("/proc/", pid, "/wchan"));
  return place == "0" ? std::string() : place;
}

}  // namespace

ProcessLook::ProcessLook(pid_t root, const std::vector<pid_t>& workers) : began_(Clock::now()), trees_(workers.size()) {
  std::map<pid_t, std::size_t> rank_of;
  for (std::size_t i = 0; i < workers.size(); ++i) {
    if (workers[i] > 0) { rank_of[workers[i]] = i; }
  }
  for (const pid_t pid : process::descendants_of(root)) {  // parents before children
    const auto stat = process_stat(pid);
    if (!stat) { continue; }
    // Where the parent has ended: a worker leads the session that its processes are in, unless they leave it.
    auto of = rank_of.find(pid);
    if (of == rank_of.end()) { of = rank_of.find(stat->parent); }
    if (of == rank_of.end()) { of = rank_of.find(::getsid(pid)); }
    const bool is_worker = of != rank_of.end() && workers[of->second] == pid;
    if (of == rank_of.end() || (stat->state == 'Z' && !is_worker)) { continue; }  // nobody waits for an ended child
    const std::size_t rank = of->second;
    if (trees_[rank].size() >= kMostOfWorker) { continue; }
    rank_of[pid] = rank;
    trees_[rank].insert(is_worker ? trees_[rank].begin() : trees_[rank].end(), pid);
    before_[pid] = {stat->start_time, stat->cpu_ticks, queued_ns(pid), state_with_threads(pid, *stat)};
  }
}

std::vector<RankEvidence> ProcessLook::again() const {
  std::vector<RankEvidence> ranks;
  for (const auto& tree : trees_) { ranks.push_back(evidence_of(tree)); }
  return ranks;
}

RankEvidence ProcessLook::evidence_of(const std::vector<pid_t>& tree) const {
  RankEvidence rank;
  const double took = seconds();
  for (const pid_t pid : tree) {
    const auto stat = process_stat(pid);
    const Before& before = before_.at(pid);
    if (!stat || stat->start_time != before.start_time) { continue; }
    ProcessEvidence process;
    process.pid = pid;
    process.state = state_with_threads(pid, *stat);
    process.cpu = seconds_of(stat->cpu_ticks - std::min(stat->cpu_ticks, before.cpu_ticks));
    const std::uint64_t queued = queued_ns(pid);
    process.queued = static_cast<double>(queued - std::min(queued, before.queued_ns)) / 1e9;
    // Every process runs or reads a file now and then: what counts is one that stays with it.
    const bool passing = (process.state == 'D' || process.state == 'R') && before.state != process.state;
    if (passing) { process.state = 'S'; }
    if (process.state == 'S' && process.cpu >= kComputes * took) { process.state = 'R'; }
    process.threads = stat->threads;
    rank.cpu += process.cpu;
    rank.queued += process.queued;
    ++rank.process_count;
    rank.processes.push_back(std::move(process));
  }
  if (rank.processes.empty()) { return rank; }
  std::stable_sort(rank.processes.begin() + 1, rank.processes.end(), [](const auto& a, const auto& b) {
    return weight_of_state(a.state) != weight_of_state(b.state) ? weight_of_state(a.state) > weight_of_state(b.state)
                                                                : a.cpu > b.cpu;
  });
  if (rank.processes.size() > kMostProcesses) { rank.processes.resize(kMostProcesses); }
  for (ProcessEvidence& process : rank.processes) {
    process.name = read_word(str_cat("/proc/", process.pid, "/comm"));
    process.kernel_place = kernel_place(static_cast<pid_t>(process.pid));
  }
  return rank;
}

}  // namespace mdl::launcher::hang
