#include "common/process_stat.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>

TEST_CASE("a process is known by its state, its parent and the time of its start") {
  const auto self = mdl::process_stat(::getpid());
  REQUIRE(self);
  CHECK(self->state == 'R');
  CHECK(self->threads >= 1);
  CHECK(self->cpu_ticks >= mdl::thread_stat(::getpid(), ::getpid())->cpu_ticks);
  CHECK_FALSE(mdl::thread_stat(::getpid(), 0));
  CHECK(self->parent == ::getppid());
  CHECK(self->start_time >= mdl::process_stat(::getppid())->start_time);
  CHECK_FALSE(mdl::process_stat(0));
}
