#include "common/pickle/pickle.hpp"

#include <bit>
#include <cstring>
#include <utility>

#include "common/pickle/pickle_opcode.hpp"
#include "common/str_cat.hpp"

namespace mdl {
namespace {

static_assert(std::endian::native == std::endian::little, "a pickle's numbers are copied as they lie in memory");

constexpr unsigned char kLowestProtocol = 2;
constexpr unsigned char kHighestProtocol = 5;

}  // namespace

/// Python's unpickling machine without the parts that do something.
class PickleReader {
 public:
  using Kind = PickleValue::Kind;

  PickleReader(std::string_view bytes, std::deque<PickleValue>& values, std::size_t max_values)
      : bytes_(bytes), values_(values), max_values_(max_values) {}

  const PickleValue* read() {
    if (bytes_.size() > Pickle::kMaxBytes) { fail(str_cat("it has ", bytes_.size(), " bytes")); }
    if (u8() != kProto) { fail("it does not begin as a pickle"); }
    const unsigned char protocol = u8();
    if (protocol < kLowestProtocol || protocol > kHighestProtocol) {
      fail(str_cat("it is of protocol ", static_cast<int>(protocol)));
    }
    while (true) {
      const unsigned char code = u8();
      if (code == kStop) { break; }
      step(code);
    }
    if (at_ != bytes_.size()) { fail("there are bytes after its end"); }
    if (stack_.size() != 1 || !marks_.empty()) { fail("it does not end with one value"); }
    return stack_.front();
  }

 private:
  [[noreturn]] void fail(const std::string& reason) const {
    throw PickleError(str_cat("pickle, byte ", at_, ": ", reason));
  }

  std::string_view take(std::uint64_t count) {
    if (count > bytes_.size() - at_) { fail("it ends too early"); }
    const std::string_view taken = bytes_.substr(at_, static_cast<std::size_t>(count));
    at_ += static_cast<std::size_t>(count);
    return taken;
  }
  template <typename Number>
  Number number() {
    Number value;
    std::memcpy(&value, take(sizeof(value)).data(), sizeof(value));
    return value;
  }
  unsigned char u8() { return number<unsigned char>(); }
  std::string_view line() {
    const auto end = bytes_.find('\n', at_);
    if (end == std::string_view::npos) { fail("it ends too early"); }
    const std::string_view text = take(end - at_);
    take(1);
    return text;
  }

  PickleValue* make(Kind kind) {
    if (values_.size() >= max_values_) { fail("it has too many values"); }
    values_.push_back({.kind = kind});
    return &values_.back();
  }
  PickleValue* push(Kind kind) {
    PickleValue* const value = make(kind);
    stack_.push_back(value);
    return value;
  }
  void push_integer(std::int64_t integer, Kind kind = Kind::integer) { push(kind)->integer = integer; }
  void push_text(Kind kind, std::string_view text) { push(kind)->text = text; }

  /// The values above the last mark cannot be touched from below it.
  std::size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  PickleValue* pop() {
    if (stack_.size() <= floor()) { fail("it takes a value where there is none"); }
    PickleValue* const value = stack_.back();
    stack_.pop_back();
    return value;
  }
  PickleValue* top(Kind kind) const {
    if (stack_.size() <= floor() || stack_.back()->kind != kind) {
      fail("it changes a value that is not of the right kind");
    }
    return stack_.back();
  }
  std::vector<const PickleValue*> pop_to_mark() {
    if (marks_.empty()) { fail("it goes back to a mark where there is none"); }
    const auto begin = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    std::vector<const PickleValue*> items(begin, stack_.end());
    stack_.erase(begin, stack_.end());
    marks_.pop_back();
    return items;
  }
  void push_tuple(std::size_t count) {
    std::vector<const PickleValue*> items(count);
    while (count > 0) { items[--count] = pop(); }
    push(Kind::tuple)->items = std::move(items);
  }
  void extend(Kind kind, const std::vector<const PickleValue*>& items) {
    PickleValue* const container = top(kind);
    container->items.insert(container->items.end(), items.begin(), items.end());
  }
  void extend_dict(const std::vector<const PickleValue*>& items) {
    if (items.size() % 2 != 0) { fail("a key of a dict has no value"); }
    extend(Kind::dict, items);
  }

  void remember(std::size_t index) {
    if (stack_.size() <= floor()) { fail("it remembers a value where there is none"); }
    // Pickles number their memos from 0 on; other numbers would only serve to make the table large.
    if (index > memo_.size()) { fail("it skips a number of a memo"); }
    if (index == memo_.size()) { memo_.push_back(nullptr); }
    memo_[index] = stack_.back();
  }
  void recall(std::size_t index) {
    if (index >= memo_.size()) { fail("it recalls a value that it has not remembered"); }
    stack_.push_back(memo_[index]);
    // Values pushed again count, so that a short pickle cannot fill the stack for nothing.
    if (stack_.size() > max_values_) { fail("it has too many values"); }
  }
  void push_object() {
    const PickleValue* const arguments = pop();
    const PickleValue* const type = pop();
    if (arguments->kind != Kind::tuple || type->kind != Kind::type) {
      fail("it makes an object of something that is no type");
    }
    PickleValue* const object = push(Kind::object);
    object->type = type;
    object->items = arguments->items;
  }

  void step(unsigned char code) {
    switch (code) {
      case kFrame:
        number<std::uint64_t>();
        break;
      case kMark:
        marks_.push_back(stack_.size());
        break;
      case kNone:
        push(Kind::none);
        break;
      case kNewTrue:
        push_integer(1, Kind::boolean);
        break;
      case kNewFalse:
        push_integer(0, Kind::boolean);
        break;
      case kBinInt:
        push_integer(number<std::int32_t>());
        break;
      case kBinInt1:
        push_integer(number<std::uint8_t>());
        break;
      case kBinInt2:
        push_integer(number<std::uint16_t>());
        break;
      case kBinFloat: {  // the one number with its first byte first
        std::uint64_t bits = 0;
        for (int i = 0; i < 8; ++i) { bits = bits << 8 | u8(); }
        push(Kind::real)->real = std::bit_cast<double>(bits);
        break;
      }
      case kBinPersId: {
        const PickleValue* const id = pop();
        push(Kind::persistent)->items = {id};
        break;
      }
      case kLong1:
        push_long();
        break;
      case kShortBinUnicode:
        push_text(Kind::string, take(u8()));
        break;
      case kBinUnicode:
        push_text(Kind::string, take(number<std::uint32_t>()));
        break;
      case kBinUnicode8:
        push_text(Kind::string, take(number<std::uint64_t>()));
        break;
      case kShortBinBytes:
        push_text(Kind::bytes, take(u8()));
        break;
      case kBinBytes:
        push_text(Kind::bytes, take(number<std::uint32_t>()));
        break;
      case kGlobal: {
        const std::string module(line());
        push_text(Kind::type, str_cat(module, ".", line()));
        break;
      }
      case kStackGlobal: {
        const PickleValue* const name = pop();
        const PickleValue* const module = pop();
        if (name->kind != Kind::string || module->kind != Kind::string) { fail("the name of a type is no string"); }
        push_text(Kind::type, str_cat(module->text, ".", name->text));
        break;
      }
      case kEmptyTuple:
        push(Kind::tuple);
        break;
      case kTuple1:
        push_tuple(1);
        break;
      case kTuple2:
        push_tuple(2);
        break;
      case kTuple3:
        push_tuple(3);
        break;
      case kTuple: {
        std::vector<const PickleValue*> items = pop_to_mark();
        push(Kind::tuple)->items = std::move(items);
        break;
      }
      case kEmptyList:
        push(Kind::list);
        break;
      case kAppend: {
        const PickleValue* const item = pop();
        extend(Kind::list, {item});
        break;
      }
      case kAppends:
        extend_after_mark(Kind::list);
        break;
      case kEmptySet:
        push(Kind::set);
        break;
      case kAddItems:
        extend_after_mark(Kind::set);
        break;
      case kEmptyDict:
        push(Kind::dict);
        break;
      case kSetItem: {
        const PickleValue* const value = pop();
        const PickleValue* const key = pop();
        extend_dict({key, value});
        break;
      }
      case kSetItems: {
        const std::vector<const PickleValue*> items = pop_to_mark();
        extend_dict(items);
        break;
      }
      case kNewObj:
      case kReduce:
        push_object();
        break;
      case kBuild: {
        const PickleValue* const state = pop();
        top(Kind::object)->state = state;
        break;
      }
      case kMemoize:
        remember(memo_.size());
        break;
      case kBinPut:
        remember(u8());
        break;
      case kLongBinPut:
        remember(number<std::uint32_t>());
        break;
      case kBinGet:
        recall(u8());
        break;
      case kLongBinGet:
        recall(number<std::uint32_t>());
        break;
      default:
        fail(str_cat("opcode ", static_cast<int>(code), " is not one of plain data"));
    }
  }

  void extend_after_mark(Kind kind) {
    const std::vector<const PickleValue*> items = pop_to_mark();
    extend(kind, items);
  }

  /// An int of any size, here of at most 64 bits.
  void push_long() {
    const std::string_view digits = take(u8());
    if (digits.size() > sizeof(std::int64_t)) { fail("an integer has more than 64 bits"); }
    const bool negative = !digits.empty() && (static_cast<unsigned char>(digits.back()) & 0x80);
    std::int64_t value = negative ? -1 : 0;
    std::memcpy(&value, digits.data(), digits.size());
    push_integer(value);
  }

  std::string_view bytes_;
  std::size_t at_ = 0;
  std::deque<PickleValue>& values_;
  std::size_t max_values_;
  std::vector<PickleValue*> stack_;
  std::vector<std::size_t> marks_;
  std::vector<PickleValue*> memo_;
};

Pickle::Pickle(std::string_view bytes, std::size_t max_values) {
  root_ = PickleReader(bytes, values_, max_values).read();
}

}  // namespace mdl
