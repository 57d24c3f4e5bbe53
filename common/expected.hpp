#pragma once

#include <utility>
#include <variant>

namespace mdl {

/// Why there is no value, for the constructor of an Expected.
template <typename E>
struct Unexpected {
  E error;
};
template <typename E>
Unexpected(E) -> Unexpected<E>;

/// A value, or why there is none, where the caller is expected to handle that: after C++23's std::expected.
template <typename T, typename E>
class [[nodiscard]] Expected {
 public:
  Expected(T value) : content_(std::in_place_index<0>, std::move(value)) {}
  Expected(Unexpected<E> failure) : content_(std::in_place_index<1>, std::move(failure.error)) {}

  bool has_value() const { return content_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  /// The value; throws std::bad_variant_access where there is none.
  T& value() { return std::get<0>(content_); }
  const T& value() const { return std::get<0>(content_); }
  T& operator*() { return value(); }
  const T& operator*() const { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  /// Why there is none; throws std::bad_variant_access where there is one.
  E& error() { return std::get<1>(content_); }
  const E& error() const { return std::get<1>(content_); }

 private:
  std::variant<T, E> content_;
};

}  // namespace mdl
