#pragma once

#include <string>

namespace mdl::worker::libraries {

/// The libraries that this mdl-toolkit was built with, and so runs with.
struct BuiltFor {
  std::string torch;          ///< LibTorch's version: "2.15.0+cu132"
  std::string flavour;        ///< "cu132"; empty: any will do, as it was built without its own use of CUDA
  std::string arrow;          ///< pyarrow's version: "26.0.1"
  std::string arrow_library;  ///< "libarrow.so.2600"

  bool has_cuda() const { return !flavour.empty(); }
};

const BuiltFor& built_for();

/// The same for a program without CUDA, for which a LibTorch of any flavour will do.
BuiltFor without_cuda(BuiltFor built);

}  // namespace mdl::worker::libraries
