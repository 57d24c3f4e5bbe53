#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "worker/libraries/built_for.hpp"
#include "worker/libraries/torch_package.hpp"

namespace mdl::worker::libraries {

/// The value of an environment variable; nullopt where it is not set or empty.
using Variable = std::function<std::optional<std::string>(const char* name)>;

/// Where LibTorch and Arrow lie on this machine. They are looked for
///
/// 1. in MDL_TORCH: the folder `torch` itself, or an environment or site-packages that holds it;
/// 2. beside the program (packages_beside());
/// 3. among the packages of the python3 of the virtual environment that the program is part of (packages_of_python());
/// 4. among those of PATH's python3.
///
/// Python is started in the last two places only, if at all.
class LibrarySearch {
 public:
  /// `folder`: the program's.
  LibrarySearch(std::filesystem::path folder, Variable variable, const BuiltFor& built = built_for())
      : folder_(std::move(folder)), variable_(std::move(variable)), built_(built) {}

  /// The LibTorch of the first place that has one; of several there, one that fits. Throws Error when there is none, or
  /// it does not fit.
  TorchPackage torch() const;

  /// The folder of Arrow's library, from the first place that has the right version. Throws Error when there is none.
  std::filesystem::path arrow() const;

 private:
  struct Place {
    std::string name;    ///< for messages: "beside /x/mdl-toolkit"
    bool named_by_user;  ///< who names one wants no other
    std::function<std::vector<std::filesystem::path>()> packages;
  };
  std::vector<Place> places(const std::string& wanted) const;

  std::filesystem::path folder_;
  Variable variable_;
  BuiltFor built_;
};

}  // namespace mdl::worker::libraries
