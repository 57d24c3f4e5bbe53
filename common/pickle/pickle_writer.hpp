#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace mdl {

/// Writes a pickle, value by value onto Python's unpickling stack. Strings and types that come again are written once.
class PickleWriter {
 public:
  /// Names a value that was written, to be put onto the stack again.
  using Memo = std::size_t;

  /// Protocol 2 is for files of torch.save, which torch.load reads with a machine that knows no newer one.
  enum class Protocol : unsigned char { two = 2, four = 4 };

  explicit PickleWriter(Protocol protocol = Protocol::four);

  void none();
  void boolean(bool value);
  void integer(std::int64_t value);
  void real(double value);
  void string(std::string_view text);
  void bytes(std::string_view text);  ///< fewer than 4 GiB; with protocol 2 a call of Python's _codecs.encode
  void type(const std::string& module, const std::string& name);

  /// Makes a tuple of the last `count` values; 0 to 3.
  void tuple(std::size_t count);
  /// Makes a tuple of what lies above the mark.
  void tuple_from_mark();
  void empty_list();
  void empty_dict();
  void empty_set();  ///< protocol 4 only
  /// What lies above goes into the list, dict or set below it, with appends(), set_items() or add_items().
  void mark();
  void appends();
  void set_items();
  void add_items();
  /// Makes the value on top the name of something outside the pickle.
  void persistent_id();
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

  Protocol protocol_;
  std::string out_;
  Memo memos_ = 0;
  std::map<std::string, Memo, std::less<>> strings_;
  std::map<std::string, Memo, std::less<>> types_;
};

}  // namespace mdl
