#pragma once

#include <exception>
#include <string>

#include "common/error.hpp"

namespace mdl {

/// What a user is told of `error`: its text. Memory that ran out has none of its own but the name of a C++ type, and is
/// put into words here.
std::string describe_exception(const std::exception& error);

/// Whether `error` says that there was no memory for something.
bool is_out_of_memory(const std::exception& error);

/// `error` as one that can be kept and passed on: an Error is itself, others have the text of describe_exception().
Error as_error(const std::exception& error);

}  // namespace mdl
