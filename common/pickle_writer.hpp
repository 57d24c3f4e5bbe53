#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace mdl {

/// Writes a pickle of protocol 4, value by value onto Python's unpickling stack. Strings and types that come again are
/// written once.
class PickleWriter {
 public:
  /// Names a value that was written, to be put onto the stack again.
  using Memo = std::size_t;

  PickleWriter();

  void none();
  void boolean(bool value);
  void integer(std::int64_t value);
  void string(std::string_view text);
  void bytes(std::string_view text);  ///< fewer than 4 GiB
  void type(const std::string& module, const std::string& name);

  /// Makes a tuple of the last `count` values; 0 to 3.
  void tuple(std::size_t count);
  void empty_dict();
  void empty_set();
  /// What lies above goes into the dict or set below it, with set_items() or add_items().
  void mark();
  void set_items();
  void add_items();
  /// Calls the type below with the tuple on top.
  void reduce();
  /// Makes an empty object of the type below; the tuple on top are __new__'s arguments.
  void new_object();
  /// The dict on top becomes the attributes of the object below.
  void build();

  /// Remembers the value on top.
  Memo memoize();
  void get(Memo memo);

  /// The whole pickle, whose value is the one on the stack. Call once.
  std::string finish();

 private:
  void opcode(char code) { out_ += code; }
  template <typename Number>
  void raw(Number value);

  std::string out_;
  Memo memos_ = 0;
  std::map<std::string, Memo, std::less<>> strings_;
  std::map<std::string, Memo, std::less<>> types_;
};

}  // namespace mdl
