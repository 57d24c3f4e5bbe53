#pragma once

namespace mdl {

/// The version of both programs, of git's: "0.2.0" at the tag v0.2.0, else as "0.1.0.dev814+g736d515" (PEP 440): the
/// number of commits and the beginning of the last one, with ".dirty" behind it where the source differs from that.
const char* version();

/// The whole name of that commit; "" where the source is in no git repository.
const char* commit();

}  // namespace mdl
