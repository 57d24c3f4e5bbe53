#pragma once

#include <string>

namespace mdl::launcher::status {

/// "12.3", as people read it; with three digits that count from 1e9 on.
std::string fixed(double number);
/// "0.5679"
std::string four_digits(double number);

}  // namespace mdl::launcher::status
