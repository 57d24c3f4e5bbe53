#pragma once

#include <c10/core/ScalarType.h>

#include <optional>
#include <string>
#include <string_view>

namespace mdl::worker::tensors {

/// The tensor type that safetensors calls `name` ("F32", "BF16", …), or nothing when LibTorch or this program has no
/// such type.
std::optional<at::ScalarType> safetensors_dtype(std::string_view name);

/// The name that safetensors gives to `type`, or nothing.
std::optional<std::string> safetensors_name(at::ScalarType type);

}  // namespace mdl::worker::tensors
