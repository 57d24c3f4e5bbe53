#include "worker/dataset/parallel.hpp"

#include <catch2/catch.hpp>
#include <future>
#include <stdexcept>
#include <thread>

using mdl::worker::dataset::OrderedPipeline;

TEST_CASE("items come in order and then no more") {
  std::atomic<std::size_t> made{0};
  {
    OrderedPipeline<std::size_t> source(3, 1, 0, [&](std::size_t index) {
      ++made;
      return index * 10;
    });
    CHECK(source.take() == 0);
    CHECK(source.take() == 10);
    CHECK(source.take() == 20);
  }
  CHECK(made == 3);
}

TEST_CASE("an item is made on another thread, before it is asked for") {
  std::promise<std::thread::id> made;
  OrderedPipeline<std::size_t> source(1, 1, 0, [&](std::size_t index) {
    made.set_value(std::this_thread::get_id());
    return index;
  });
  CHECK(made.get_future().get() != std::this_thread::get_id());  // without take()
  CHECK(source.take() == 0);
}

TEST_CASE("an error in the background reaches the consumer") {
  OrderedPipeline<std::size_t> source(2, 1, 0,
                                      [](std::size_t) -> std::size_t { throw std::runtime_error("row 7 is broken"); });
  CHECK_THROWS_WITH(source.take(), "row 7 is broken");
}

TEST_CASE("a source that nobody reads ends quietly") {
  OrderedPipeline<std::size_t> source(5, 1, 0, [](std::size_t index) { return index; });
  OrderedPipeline<std::size_t> empty(0, 1, 0, [](std::size_t index) { return index; });
}
