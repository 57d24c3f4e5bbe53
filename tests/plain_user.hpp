#pragma once

#include <sys/types.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <vector>

namespace mdl::test {

/// While it lives, the permissions of files hold for this process, which root is above.
class PlainUser {
 public:
  explicit PlainUser(const std::vector<std::filesystem::path>& owned) {
    if (::geteuid() != 0) { return; }
    for (const std::filesystem::path& path : owned) { REQUIRE(::chown(path.c_str(), kNobody, kNobody) == 0); }
    REQUIRE(::seteuid(kNobody) == 0);
  }
  ~PlainUser() {
    if (::getuid() == 0) { CHECK(::seteuid(0) == 0); }
  }
  PlainUser(const PlainUser&) = delete;
  PlainUser& operator=(const PlainUser&) = delete;

 private:
  static constexpr uid_t kNobody = 65534;
};

}  // namespace mdl::test
