#pragma once

#include <string>

namespace mdl::worker::libraries {

/// The libraries that this mdl-toolkit was built with, and so runs with.
struct BuiltFor {
  std::string torch;          ///< LibTorch's version: "2.15.0+cu132"
  std::string flavour;        ///< "cu132"; empty: any will do, as it was built without its own use of CUDA
  std::string arrow;          ///< pyarrow's version: "26.0.1"
  std::string arrow_library;  ///< "libarrow.so.2600"
};

const BuiltFor& built_for();

}  // namespace mdl::worker::libraries
