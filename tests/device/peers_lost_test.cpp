#include <sys/wait.h>
#include <unistd.h>
#include <torch/csrc/distributed/c10d/HashStore.hpp>
#include <torch/csrc/distributed/c10d/Work.hpp>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/device/counting_device.hpp"
#include "tests/device/held_stream.hpp"
#include "tests/device/tiny_training.hpp"
#include "worker/distributed/process_group.hpp"
#include "worker/process/stop_signal.hpp"

using namespace mdl;
using namespace mdl::test::device;
using namespace mdl::worker;
using Catch::Contains;
using distributed::PeersLost;

namespace {

/// What happens as the gradients of the third step are added up.
enum class Loss {
  holds_device,  ///< a kernel waits for another rank; abort() ends it, as NCCL's does
  kills_device,  ///< the same, and abort() does not help
  fails,         ///< NCCL tells of an error, and the operation is done, with any numbers
  blocks_host,   ///< the host waits in the operation, as under Gloo, and a stop signal comes
  never_wakes,   ///< the same, and abort() does not help, as sometimes under Gloo
};

/// The backend of a rank whose sums are its own, until it loses the others.
struct LosingBackend : c10d::Backend {
  explicit LosingBackend(Loss loss) : Backend(0, 1), how(loss) {}

  const std::string getBackendName() const override { return "losing"; }
  c10::intrusive_ptr<c10d::Work> allreduce(std::vector<at::Tensor>& tensors, const c10d::AllreduceOptions&) override {
    const bool of_totals = tensors.at(0).scalar_type() == at::kDouble;
    if (of_totals) { ++steps; }
    if (!of_totals && steps == 2) { lose(); }
    auto future = make_future();
    if (blocked && !pending) {
      pending = future;
      std::raise(SIGTERM);
    } else {
      future->markCompleted(c10::IValue(tensors));
    }
    return c10d::Work::create_from_future(future);
  }
  c10::intrusive_ptr<c10d::Work> broadcast(std::vector<at::Tensor>& tensors, const c10d::BroadcastOptions&) override {
    return done(tensors);
  }
  c10::intrusive_ptr<c10d::Work> allgather(std::vector<std::vector<at::Tensor>>& to, std::vector<at::Tensor>& from,
                                           const c10d::AllgatherOptions&) override {
    to.at(0).at(0).copy_(from.at(0));
    return done(from);
  }
  c10d::ErrorType getError() override { return failed ? c10d::ErrorType::COMM_ERROR : c10d::ErrorType::SUCCESS; }
  void abort() override {
    ++aborts;
    if (how == Loss::holds_device) { hold_default_stream(false); }
    if (pending && how != Loss::never_wakes) {
      pending->setError(std::make_exception_ptr(std::runtime_error("closed")));
    }
  }

  static c10::intrusive_ptr<c10::ivalue::Future> make_future() {
    return c10::make_intrusive<c10::ivalue::Future>(c10::ListType::create(c10::TensorType::get()),
                                                    std::vector<c10::Device>{kCountingDevice});
  }
  static c10::intrusive_ptr<c10d::Work> done(const std::vector<at::Tensor>& tensors) {
    auto future = make_future();
    future->markCompleted(c10::IValue(tensors));
    return c10d::Work::create_from_future(future);
  }
  void lose() {
    hold_default_stream(how == Loss::holds_device || how == Loss::kills_device);
    failed = how == Loss::fails;
    blocked = how == Loss::blocks_host || how == Loss::never_wakes;
  }

  const Loss how;
  int steps = 0;
  bool failed = false, blocked = false;
  std::atomic<int> aborts = 0;
  c10::intrusive_ptr<c10::ivalue::Future> pending;
};

/// A lost rank's backend is never destroyed.
struct ReleasedStream {
  ReleasedStream() = default;
  ReleasedStream(ReleasedStream&&) = default;
  ~ReleasedStream() { hold_default_stream(false); }
};

struct LosingRank {
  ReleasedStream last;
  c10::intrusive_ptr<LosingBackend> backend;
  distributed::ProcessGroup group;
};

LosingRank losing_rank(Loss how) {
  process::WorkerEnvironment environment;
  environment.master_addr = "127.0.0.1";
  const distributed::WaitLimits limits{.timeout = std::chrono::milliseconds(500),
                                       .after_stop = std::chrono::milliseconds(50),
                                       .for_waking = std::chrono::milliseconds(50)};
  auto backend = c10::make_intrusive<LosingBackend>(how);
  return {
      {},
      backend,
      distributed::ProcessGroup(environment, kCountingDevice, limits, c10::make_intrusive<c10d::HashStore>(), backend)};
}

/// The one checkpoint that was written, of the one run.
std::string checkpoint_in(const std::filesystem::path& folder) {
  std::string found;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().filename() == "adapter_model.safetensors") { found += entry.path().parent_path().filename(); }
  }
  return found;
}

}  // namespace

TEST_CASE("a rank that loses the others ends in time, with an error that says so and the steps before saved") {
  const auto [how, why] = GENERATE(table<Loss, std::string>({
      {Loss::holds_device, "step 3: nothing has come from the other ranks for 450 ms"},
      {Loss::kills_device, "step 3: nothing has come from the other ranks for 450 ms"},
      {Loss::fails, "step 3: the connection with another rank has broken"},
  }));
  const TinyInputs inputs(Clips::equal);
  LosingRank rank = losing_rank(how);
  try {
    train(inputs, {}, kCountingDevice, &rank.group);
    FAIL("trained");
  } catch (const PeersLost& lost) {
    CHECK(lost.problem() == why);
    CHECK_THAT(lost.advice(), Contains("--resume-from-checkpoint true"));
  }
  CHECK(rank.backend->aborts == 1);
  CHECK(checkpoint_in(inputs.folder()) == "checkpoint-2");
}

TEST_CASE("a stop signal ends a wait of the host inside LibTorch when the others do not follow") {
  const TinyInputs inputs(Clips::equal);
  const auto error_file = inputs.folder() / "error.json";
  ::setenv("TORCHELASTIC_ERROR_FILE", error_file.c_str(), 1);
  LosingRank rank = losing_rank(Loss::blocks_host);
  try {
    train(inputs, {}, kCountingDevice, &rank.group);
    FAIL("trained");
  } catch (const process::StoppedBySignal& stop) { CHECK(stop.signal == SIGTERM); }
  ::unsetenv("TORCHELASTIC_ERROR_FILE");
  CHECK(rank.backend->aborts == 1);
  CHECK(checkpoint_in(inputs.folder()) == "checkpoint-2");
  std::ifstream file(error_file);
  CHECK_THAT(std::string(std::istreambuf_iterator<char>(file), {}),
             Contains("step 3 has not come to its end within ") && Contains(" ms of the stop signal"));  // 50, or twice
}

TEST_CASE("a wait that nobody can wake ends with its process, and the steps before are saved") {
  if (std::getenv("MDL_TEST_STUCK")) {  // the process that ends
    const TinyInputs inputs(Clips::equal);
    LosingRank rank = losing_rank(Loss::never_wakes);
    train(inputs, {}, kCountingDevice, &rank.group);
    return;
  }
  const mdl::test::TempDir folder;
  const auto error_file = folder.path() / "error.json";
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::setenv("MDL_TEST_STUCK", "1", 1);
    ::setenv("TMPDIR", folder.path().c_str(), 1);
    ::setenv("TORCHELASTIC_ERROR_FILE", error_file.c_str(), 1);
    ::execl("/proc/self/exe", "device_tests", "a wait that nobody can wake ends with its process*", nullptr);
    ::_exit(127);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGTERM);
  CHECK(checkpoint_in(folder.path()) == "checkpoint-2");
  std::ifstream file(error_file);
  CHECK_THAT(std::string(std::istreambuf_iterator<char>(file), {}), Contains("step 3 has not come to its end within"));
}

TEST_CASE("ranks that meet do not wait for ever for one that is gone") {
  LosingRank rank = losing_rank(Loss::holds_device);
  rank.group.meet();
  hold_default_stream(true);
  CHECK_THROWS_WITH(rank.group.meet(), Contains("nothing has come from the other ranks for 450 ms"));
  CHECK(rank.backend->aborts == 1);
}

TEST_CASE("an error that has nothing to do with other ranks is not taken for their loss") {
  LosingRank rank = losing_rank(Loss::fails);
  CHECK(!rank.group.explain(std::runtime_error("No space left on device")));
  CHECK(!distributed::ProcessGroup().explain(std::runtime_error("gloo/transport/tcp/pair.cc")));
  const std::runtime_error closed("[third_party/gloo/gloo/transport/tcp/pair.cc:1] Connection closed by peer");
  const auto lost = rank.group.explain(closed);
  REQUIRE(lost);
  CHECK_THAT(lost->problem(),
             Contains("the start: another rank is gone or does not answer: ") && Contains("Connection closed by peer"));
}
