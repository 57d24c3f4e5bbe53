#pragma once

#include <string>

namespace mdl {

/// A random identifier in the form of a UUID (version 4), from the kernel's random numbers.
std::string make_uuid();

}  // namespace mdl
