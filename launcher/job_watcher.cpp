#include "launcher/job_watcher.hpp"

#include <algorithm>
#include <utility>

#include "common/log.hpp"
#include "common/parse_number.hpp"
#include "launcher/process/worker_env.hpp"
#include "launcher/progress/progress_folder.hpp"

namespace mdl::launcher {
namespace {

constexpr const char* kFloorVariable = "MDL_HANG_FLOOR";
constexpr std::size_t kMostStoreWaits = 16'384;

hang::HangLimits limits_of(const command_line::LaunchPlan& plan) {
  hang::HangLimits limits;
  if (plan.options.hang_timeout) { limits.timeout = hang::HangLimits::Seconds(*plan.options.hang_timeout); }
  const auto text = process::find_variable(plan.environment, kFloorVariable);
  if (!text || text->empty()) { return limits; }
  const auto seconds = parse_real_number(*text);
  if (seconds && *seconds > 0 && *seconds < 1e9) {
    limits.floor = hang::HangLimits::Seconds(*seconds);
  } else {
    log::warning(kFloorVariable, "=", *text, " is no number of seconds above 0: using ", limits.floor.count());
  }
  return limits;
}

/// What `usual` is shortened to where hangs are to be found sooner.
std::chrono::milliseconds at_most(std::chrono::milliseconds usual, const hang::HangLimits& limits, int part) {
  const auto least = std::min(limits.floor, limits.timeout.value_or(limits.floor)) / part;
  return std::min(usual, std::chrono::ceil<std::chrono::milliseconds>(least));
}

hang::GiverTimes giver_times(const hang::HangLimits& limits) {
  hang::GiverTimes times;
  times.silent = at_most(times.silent, limits, 2);
  times.unheard = at_most(times.unheard, limits, 1);
  times.first_check = at_most(times.first_check, limits, 1);
  times.last_check = std::max(times.first_check, at_most(times.last_check, limits, 1));
  return times;
}

}  // namespace

JobWatcher::JobWatcher(asio::io_context& io, const command_line::LaunchPlan& plan, const job::JobRendezvous& rendezvous,
                       output::RunFolder& folder, Group group, loop::Notifier& changed)
    : io_(io),
      plan_(plan),
      group_(std::move(group)),
      changed_(changed),
      limits_(limits_of(plan)),
      teller_(io, folder.path(), command_line::run_id_of(plan.store),
              [&rendezvous] { return rendezvous.store_place(); }),
      watch_(
          io, teller_, command_line::run_id_of(plan.store), [&rendezvous] { return rendezvous.store_place(); },
          at_most(watch::JobWatch::kLongest, limits_, 1)),
      gatherer_(io, teller_, group_),
      giver_(
          io, teller_, gatherer_, command_line::run_id_of(plan.store),
          [&rendezvous] { return rendezvous.store_place(); }, giver_times(limits_)),
      hangs_(io, gatherer_, limits_, surroundings(rendezvous, folder)),
      stragglers_(straggler::straggler_time(process::find_variable(plan.environment, "MDL_STRAGGLER_SECONDS")),
                  [this](progress::JobEvent event) { teller_.happened(std::move(event)); }),
      silence_(io) {
  teller_.on_first_word([this] {
    watch_gpus();
    watch_.first_word();
    giver_.first_word();
  });
  watch_.add([this](const watch::JobView& view) { return hangs_.look(view); });
  watch_.add([this](const watch::JobView& view) { return stragglers_.look(view); });
}

hang::HangSurroundings JobWatcher::surroundings(const job::JobRendezvous& rendezvous, output::RunFolder& folder) {
  hang::HangSurroundings around;
  around.job = command_line::run_id_of(plan_.store);
  around.place = [&rendezvous] { return rendezvous.store_place(); };
  around.store_waits = [&rendezvous] { return rendezvous.store_waits(kMostStoreWaits); };
  around.folder = [&folder] {
    folder.keep();
    return folder.path();
  };
  around.happened = [this](const std::string& text, std::optional<progress::HangFacts> facts) {
    teller_.happened(progress::kHangKind, text, std::move(facts));
  };
  around.end_workers = [this](const process::JobHang& hang) { end_workers(hang); };
  return around;
}

std::vector<std::filesystem::path> JobWatcher::begin(const job::Round& round) {
  const watch::WatchedRound watched{round.number, round.group_rank, round.group_world_size,
                                    round.ranks.global_world_size};
  auto sockets = teller_.begin({round.number, round.group_rank, round.ranks.base_global_rank, plan_.local_world_size});
  gatherer_.begin(round.master_port, server_sockets(sockets));
  watch_.begin(watched);
  hangs_.begin(watched);
  giver_.begin(watched);
  if (limits_.timeout && round.group_rank == 0 && !warned_) { warn_of_silence(); }
  return sockets;
}

/// Where each worker's server of torch's listens, as far as that is its own.
std::vector<std::filesystem::path> JobWatcher::server_sockets(const std::vector<std::filesystem::path>& sockets) const {
  std::vector<std::filesystem::path> servers;
  for (const std::filesystem::path& socket : sockets) {
    const std::string own = progress::server_path_beside(socket).string();
    const auto path = process::worker_server_socket(plan_.environment, own);
    // One that the user has named is one of all workers, nobody knows whose.
    servers.emplace_back(path == own || sockets.size() == 1 ? path.value_or("") : "");
  }
  return servers;
}

void JobWatcher::stop() {
  watch_.end();
  hangs_.end();
  giver_.end();
  silence_.cancel();
}

void JobWatcher::end() {
  stop();
  teller_.end();
}

/// One of them counts as failed for it, so that all are ended as after any failure.
void JobWatcher::end_workers(const process::JobHang& hang) {
  process::WorkerGroup* group = group_();
  if (!group || group->any_failed()) { return; }
  std::optional<int> which;  // the accused one, if it is here
  for (std::size_t i = 0; i < group->workers().size(); ++i) {
    if (group->workers()[i].phase != process::WorkerState::Phase::running) { continue; }
    const int local_rank = static_cast<int>(i);
    if (!which || (hang.accused && hang.accused->rank == teller_.group().first_rank + local_rank)) {
      which = local_rank;
    }
  }
  if (!which) { return; }
  group->give_up(*which, hang);
  changed_.notify();
}

void JobWatcher::watch_gpus() {
  if (gpus_) { return; }
  gpus_.emplace(io_, [workers = plan_.local_world_size,
                      visible = process::find_variable(plan_.environment, "CUDA_VISIBLE_DEVICES")] {
    return gpus::gpus_of_workers(workers, visible);
  });
  teller_.describe_gpus([this](int local_rank) { return gpus_->facts(local_rank); });
}

/// With --hang-timeout of a job that cannot be watched.
void JobWatcher::warn_of_silence() {
  silence_.expires_after(std::chrono::ceil<std::chrono::milliseconds>(*limits_.timeout));
  silence_.async_wait([this](boost::system::error_code error) {
    if (error || warned_ || teller_.heard()) { return; }
    warned_ = true;
    log::warning(
        "--hang-timeout finds no hang yet: no worker of this node has sent anything to MDL_PROGRESS. It is for "
        "jobs whose workers tell their steps, as docs/watching.md shows");
  });
}

}  // namespace mdl::launcher
