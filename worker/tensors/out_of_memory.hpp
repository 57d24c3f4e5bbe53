#pragma once

#include <functional>
#include <string>

#include "common/error.hpp"

namespace mdl::worker::tensors {

/// Memory, a device's or the host's, has run out.
class OutOfMemory : public Error {
 public:
  using Error::Error;
};

/// Runs `work`. Memory that runs out in it becomes an OutOfMemory of which the problem begins with `what`; other
/// exceptions pass.
void explain_memory(const std::string& what, const std::string& advice, const std::function<void()>& work);

}  // namespace mdl::worker::tensors
