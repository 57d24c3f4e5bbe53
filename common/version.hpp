#pragma once

namespace mdl {

/// The version of both programs, such as "0.1.0": CMakeLists.txt's.
const char* version();

}  // namespace mdl
