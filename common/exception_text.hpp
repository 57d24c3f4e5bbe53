#pragma once

#include <exception>
#include <string>

namespace mdl {

/// What a user is told of `error`: its text. Memory that ran out has none of its own but the name of a C++ type, and is
/// put into words here.
std::string describe_exception(const std::exception& error);

}  // namespace mdl
