#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "common/error.hpp"

namespace mdl {

/// Bytes that are no pickle, or a pickle of something other than plain data. Says at which byte.
class PickleError : public Error {
 public:
  using Error::Error;
};

/// A value of a pickle, as it lies there: types are names and objects are their parts. Nothing is imported, called or
/// executed, whatever the pickle asks for.
struct PickleValue {
  enum class Kind { none, boolean, integer, real, string, bytes, tuple, list, set, dict, type, object, persistent };

  Kind kind = Kind::none;
  std::int64_t integer = 0;  ///< also of boolean: 0 or 1
  double real = 0;
  std::string text{};  ///< of string (UTF-8) and bytes; of type: "module.name"
  /// Of tuple, list and set: the elements; of dict: key, value, key, value …; of object: the arguments it is made of;
  /// of persistent: the one value that names what lies outside the pickle (in a file of torch.save a tensor's storage).
  std::vector<const PickleValue*> items{};
  const PickleValue* type = nullptr;   ///< of object
  const PickleValue* state = nullptr;  ///< of object: what BUILD gave it, null when nothing did
};

/// The values of one pickle. The pointers between them are good for as long as it lives. They may form circles: follow
/// them by what you expect, not until the end.
class Pickle {
 public:
  /// A pickle that is larger, or has more values, is refused: the largest that we read, the state of a rendezvous of
  /// ten thousand nodes, has about 3 MB and 200,000 values.
  static constexpr std::size_t kMaxBytes = 64 * 1024 * 1024;
  static constexpr std::size_t kMaxValues = 4 * 1024 * 1024;

  /// Reads protocols 2 to 5, of them what plain data needs: None, bool, int of 64 bits, float, str, bytes, tuple, list,
  /// set, dict, objects made by NEWOBJ or REDUCE with BUILD, and persistent ids. Throws PickleError for anything else,
  /// and for bytes after the end. More values than `max_values` are refused as well.
  explicit Pickle(std::string_view bytes, std::size_t max_values = kMaxValues);

  Pickle(const Pickle&) = delete;
  Pickle& operator=(const Pickle&) = delete;

  const PickleValue& root() const { return *root_; }

 private:
  friend class PickleReader;
  std::deque<PickleValue> values_;
  const PickleValue* root_ = nullptr;
};

}  // namespace mdl
