#include "worker/formats/module_path.hpp"

#include <algorithm>

namespace mdl::worker::formats {

ModulePath ModulePath::parent() const {
  const auto dot = text_.rfind('.');
  return ModulePath(dot == std::string::npos ? std::string() : text_.substr(0, dot));
}

bool ModulePath::ends_in_number() const {
  const std::string_view name = last();
  return !name.empty() && name.find_first_not_of("0123456789") == std::string_view::npos;
}

std::size_t ModulePath::steps_to(const ModulePath& other) const {
  const auto here = parts(), there = other.parts();
  const auto apart = std::ranges::mismatch(here, there);
  return static_cast<std::size_t>((here.end() - apart.in1) + (there.end() - apart.in2));
}

std::vector<std::string_view> ModulePath::parts() const {
  std::vector<std::string_view> parts;
  for (std::string_view rest = text_; !rest.empty();) {
    const auto dot = rest.find('.');
    parts.push_back(rest.substr(0, dot));
    rest = dot == std::string_view::npos ? std::string_view() : rest.substr(dot + 1);
  }
  return parts;
}

}  // namespace mdl::worker::formats
