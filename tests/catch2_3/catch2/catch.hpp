#pragma once
/// Catch2 3 for tests that are written for Catch2 2: its headers under the old name, and its matchers and Approx where
/// version 2 has them. Only in the include path where CMake finds version 3.

#include <catch2/catch_all.hpp>

namespace Catch {

using Matchers::EndsWith;
using Matchers::Matches;
using Matchers::StartsWith;
using Matchers::VectorContains;

inline auto Contains(const std::string& part) {
  return Matchers::ContainsSubstring(part);
}

}  // namespace Catch

using Catch::Approx;
