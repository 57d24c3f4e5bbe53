#include <catch2/catch.hpp>
#include <coroutine>
#include <exception>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>

// The ways to write co_await that scripts/checks/check_co_await.py allows. With a compiler that gets one of them wrong,
// as GCC 12 does the ones that it forbids, this fails instead of a job some day.

namespace {

/// Knows whether each object of its kind was made once and ended once.
class Counted {
 public:
  explicit Counted(int n = 0) : value(n) { begin(); }
  Counted(const Counted& other) : value(other.value) { begin(); }
  Counted& operator=(const Counted&) = default;
  ~Counted() {
    if (alive.erase(this) != 1) { ++ended_twice; }
  }

  int value;
  inline static std::set<const Counted*> alive;
  inline static int ended_twice = 0;

 private:
  void begin() { alive.insert(this); }
};

/// An aggregate, the kind of class that GCC 12 goes wrong with.
struct Pair {
  Counted first;
  int second = 0;
};

/// A coroutine that starts when it is awaited.
class Task {
 public:
  struct promise_type {
    Task get_return_object() { return Task(Handle::from_promise(*this)); }
    std::suspend_always initial_suspend() { return {}; }
    auto final_suspend() noexcept {
      struct Back {
        bool await_ready() noexcept { return false; }
        std::coroutine_handle<> await_suspend(Handle ended) noexcept { return ended.promise().awaiting; }
        void await_resume() noexcept {}
      };
      return Back();
    }
    void unhandled_exception() { std::terminate(); }
    void return_value(int n) { value = n; }
    int value = 0;
    std::coroutine_handle<> awaiting = std::noop_coroutine();
  };
  using Handle = std::coroutine_handle<promise_type>;

  explicit Task(Handle handle) : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  ~Task() {
    if (handle_) { handle_.destroy(); }
  }
  bool await_ready() { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiting) {
    handle_.promise().awaiting = awaiting;
    return handle_;
  }
  int await_resume() { return handle_.promise().value; }
  int run() {
    handle_.resume();
    return handle_.promise().value;
  }

 private:
  Handle handle_;
};

Task of(const Counted& counted) {
  co_return counted.value;
}
Task of_value(Counted counted) {
  co_return counted.value;
}
Task of_pair(Pair pair) {
  co_return pair.first.value + pair.second;
}
Task of_pair_reference(const Pair& pair) {
  co_return pair.first.value + pair.second;
}
Task of_optional(std::optional<Counted> counted) {
  co_return counted ? counted->value : 0;
}
Task of_function(std::function<int()> function) {
  co_return function();
}
Task of_task(Task task) {
  co_return co_await task;
}
Task of_default(int n, const Counted& counted = Counted(1)) {
  co_return n + counted.value;
}

Pair make_pair_of(int n) {
  Pair pair;
  pair.second = n;
  return pair;
}
int sum(const Counted& counted, int n) {
  return counted.value + n;
}

struct Holder {
  int n = 5;
  Task lambda_with_this() {
    co_return co_await of_function([this] { return n; });
  }
};

Task temporaries() {
  co_return co_await of(Counted(1)) + co_await of_value(Counted(2));
}
Task named_aggregate() {
  const Pair pair{Counted(1), 2};
  co_return co_await of_pair(pair) + co_await of_pair_reference(pair);
}
Task moved_aggregate() {
  Pair pair{Counted(1), 2};
  co_return co_await of_pair(std::move(pair));
}
Task aggregate_from_a_function() {
  co_return co_await of_pair(make_pair_of(1)) + co_await of_pair_reference(make_pair_of(2));
}
Task conversion() {
  co_return co_await of_optional(Counted(3));
}
Task lambda_with_references() {
  const Counted counted(4);
  co_return co_await of_function([&] { return counted.value; });
}
Task task_as_argument() {
  co_return co_await of_task(of_value(Counted(6)));
}
Task default_argument() {
  co_return co_await of_default(1);
}
Task beside_other_arguments() {
  co_return sum(Counted(1), co_await of(Counted(2)));
}
Task conditions() {
  int n = 0;
  if (n == 0 && co_await of(Counted(1)) == 1) { ++n; }
  if (n == 0 && co_await of(Counted(1)) == 1) { ++n; }
  if (n == 1 || co_await of(Counted(1)) == 1) { ++n; }
  while (n < 5 && co_await of(Counted(1)) == 1) { ++n; }
  co_return n;
}

int run(Task task) {
  return task.run();
}

}  // namespace

TEST_CASE("what a co_await expression makes is ended once, in all the ways to write it that the project allows") {
  Counted::ended_twice = 0;
  CHECK(run(temporaries()) == 3);
  CHECK(run(named_aggregate()) == 6);
  CHECK(run(moved_aggregate()) == 3);
  CHECK(run(aggregate_from_a_function()) == 3);
  CHECK(run(conversion()) == 3);
  CHECK(run(lambda_with_references()) == 4);
  CHECK(run(task_as_argument()) == 6);
  CHECK(run(default_argument()) == 2);
  CHECK(run(beside_other_arguments()) == 3);
  CHECK(run(conditions()) == 5);
  Holder holder;
  CHECK(run(holder.lambda_with_this()) == 5);
  CHECK(Counted::ended_twice == 0);
  CHECK(Counted::alive.empty());
}
