#include <catch2/catch.hpp>

#include <stdexcept>
#include <thread>

#include "worker/training/data/prefetcher.hpp"

using mdl::worker::training::data::Prefetcher;

TEST_CASE("items come in order and then no more") {
  Prefetcher<int64_t> source(3, [](int64_t index) { return index * 10; });
  CHECK(source.next() == 0);
  CHECK(source.next() == 10);
  CHECK(source.next() == 20);
  CHECK(source.next() == std::nullopt);
}

TEST_CASE("an item is made on another thread, before it is asked for") {
  std::promise<std::thread::id> made;
  Prefetcher<int64_t> source(1, [&](int64_t index) {
    made.set_value(std::this_thread::get_id());
    return index;
  });
  CHECK(made.get_future().get() != std::this_thread::get_id());  // without next()
  CHECK(source.next() == 0);
}

TEST_CASE("an error in the background reaches the consumer") {
  Prefetcher<int64_t> source(2, [](int64_t) -> int64_t { throw std::runtime_error("row 7 is broken"); });
  CHECK_THROWS_WITH(source.next(), "row 7 is broken");
}

TEST_CASE("a source that nobody reads ends quietly") {
  Prefetcher<int64_t> source(5, [](int64_t index) { return index; });
}
