#include "worker/hub/transfer_state.hpp"

#include <catch2/catch.hpp>
#include <future>
#include <stdexcept>

using namespace mdl::worker::http;
using namespace mdl::worker::hub;
using namespace std::chrono_literals;
using Task = TransferState::Task;
using Kind = Task::Kind;

namespace {

void fetch(TransferState& state, const Task& task) {
  state.add(task, task.range);
  state.fetched(task);
}

}  // namespace

TEST_CASE("a file is opened, fetched in ranges and checked") {
  TransferState state({100}, 4, 10);
  CHECK(state.next()->kind == Kind::open);
  state.opened(0, {});
  std::vector<Task> tasks;
  for (int i = 0; i < 4; ++i) { tasks.push_back(*state.next()); }
  CHECK(tasks[1].range == ByteRange{25, 50});
  CHECK_FALSE(tasks[1].whole_file);
  for (const Task& task : tasks) {
    CHECK(task.kind == Kind::fetch);
    fetch(state, task);
  }
  CHECK(state.bytes_there() == 100);
  CHECK(state.next()->kind == Kind::check);
  CHECK_FALSE(state.wait(0ms));
  state.finished(0);
  CHECK_FALSE(state.next());
  CHECK(state.wait(0ms));
}

TEST_CASE("of a file that is there in part, the rest is fetched, and of an empty one nothing") {
  TransferState state({100, 0}, 1, 10);
  ByteRanges there;
  there.add({0, 60});
  state.next();
  state.opened(0, there);
  CHECK(state.bytes_there() == 60);
  const auto task = state.next();
  CHECK(task->range == ByteRange{60, 100});
  CHECK_FALSE(task->whole_file);
  CHECK(state.next()->kind == Kind::open);
  state.opened(1, {});
  const auto check = state.next();
  CHECK(check->kind == Kind::check);
  CHECK(check->file == 1);
}

TEST_CASE("a server without ranges sends the whole file, and what others fetch of it is void") {
  TransferState state({100}, 2, 10);
  state.next();
  state.opened(0, {});
  auto first = *state.next();
  auto second = *state.next();
  state.add(first, {0, 20});
  auto taken = std::async(std::launch::async, [&] { return state.take_whole(second); });
  state.sleep(first, 1h);  // until nobody wants it
  CHECK_FALSE(state.goes_on(first));
  CHECK_FALSE(state.take_whole(first));

  // The first one's thread may be about to write: nothing of the whole is written before that is done.
  CHECK(taken.wait_for(50ms) == std::future_status::timeout);
  state.fetched(first);
  CHECK(taken.get());
  CHECK(second.range == ByteRange{0, 100});
  fetch(state, second);
  CHECK(state.bytes_there() == 100);
  CHECK(state.next()->kind == Kind::check);
}

TEST_CASE("who waits to take the whole file hears of the transfer's end") {
  TransferState state({100}, 2, 10);
  state.next();
  state.opened(0, {});
  const auto first = *state.next();
  auto second = *state.next();
  auto taken = std::async(std::launch::async, [&] { return state.take_whole(second); });
  state.sleep(first, 1h);
  state.fail(std::make_exception_ptr(std::runtime_error("it ends")));
  CHECK_FALSE(taken.get());
}

TEST_CASE("a wrong hash is one more download from nothing") {
  TransferState state({100}, 1, 10);
  state.next();
  state.opened(0, {});
  fetch(state, *state.next());
  state.next();
  CHECK(state.fetch_anew(0));
  CHECK(state.bytes_there() == 0);
  const auto again = state.next();
  CHECK(again->range == ByteRange{0, 100});
  fetch(state, *again);
  CHECK(state.next()->kind == Kind::check);
  CHECK_FALSE(state.fetch_anew(0));
}

TEST_CASE("the first failure ends the transfer") {
  TransferState state({100, 100}, 1, 10);
  state.next();
  state.opened(0, {});
  const auto task = state.next();
  state.fail(std::make_exception_ptr(std::runtime_error("first")));
  state.fail(std::make_exception_ptr(std::runtime_error("second")));
  CHECK_FALSE(state.goes_on(*task));
  CHECK_FALSE(state.next());
  state.sleep(*task, 1h);  // returns at once
  CHECK_THROWS_WITH(state.wait(0ms), "first");
}
