#include "worker/tensors/safetensors_dtype.hpp"

#include <array>
#include <utility>

namespace mdl::worker::tensors {
namespace {

constexpr std::array<std::pair<std::string_view, at::ScalarType>, 10> kTypes{{{"F64", at::kDouble},
                                                                              {"F32", at::kFloat},
                                                                              {"F16", at::kHalf},
                                                                              {"BF16", at::kBFloat16},
                                                                              {"I64", at::kLong},
                                                                              {"I32", at::kInt},
                                                                              {"I16", at::kShort},
                                                                              {"I8", at::kChar},
                                                                              {"U8", at::kByte},
                                                                              {"BOOL", at::kBool}}};

}  // namespace

std::optional<at::ScalarType> safetensors_dtype(std::string_view name) {
  for (const auto& [known, type] : kTypes) {
    if (known == name) { return type; }
  }
  return std::nullopt;
}

std::optional<std::string> safetensors_name(at::ScalarType type) {
  for (const auto& [name, known] : kTypes) {
    if (known == type) { return std::string(name); }
  }
  return std::nullopt;
}

}  // namespace mdl::worker::tensors
