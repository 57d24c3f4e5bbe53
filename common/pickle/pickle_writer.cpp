#include "common/pickle/pickle_writer.hpp"

#include <bit>
#include <limits>
#include <utility>

#include "common/pickle/pickle_opcode.hpp"

namespace mdl {
namespace {

static_assert(std::endian::native == std::endian::little, "a pickle's numbers are copied as they lie in memory");

/// The characters of Latin-1, one for each byte, in UTF-8.
std::string as_latin1(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) {
    const auto code = static_cast<unsigned char>(byte);
    if (code < 0x80) {
      text += byte;
    } else {
      text += static_cast<char>(0xc0 | code >> 6);
      text += static_cast<char>(0x80 | (code & 0x3f));
    }
  }
  return text;
}

}  // namespace

template <typename Number>
void PickleWriter::raw(Number value) {
  out_.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

PickleWriter::PickleWriter(Protocol protocol) : protocol_(protocol) {
  opcode(static_cast<char>(kProto));
  raw(static_cast<unsigned char>(protocol));
}

void PickleWriter::none() {
  opcode(kNone);
}
void PickleWriter::boolean(bool value) {
  opcode(static_cast<char>(value ? kNewTrue : kNewFalse));
}

void PickleWriter::integer(std::int64_t value) {
  if (value >= 0 && value <= std::numeric_limits<std::uint8_t>::max()) {
    opcode(kBinInt1);
    raw(static_cast<std::uint8_t>(value));
  } else if (value >= std::numeric_limits<std::int32_t>::min() && value <= std::numeric_limits<std::int32_t>::max()) {
    opcode(kBinInt);
    raw(static_cast<std::int32_t>(value));
  } else {
    opcode(static_cast<char>(kLong1));
    raw(static_cast<std::uint8_t>(sizeof(value)));
    raw(value);
  }
}

void PickleWriter::real(double value) {
  opcode(kBinFloat);
  const auto bits = std::bit_cast<std::uint64_t>(value);
  for (int shift = 56; shift >= 0; shift -= 8) { raw(static_cast<std::uint8_t>(bits >> shift)); }
}

void PickleWriter::string(std::string_view text) {
  if (const auto known = strings_.find(text); known != strings_.end()) { return get(known->second); }
  if (protocol_ == Protocol::two) {
    opcode(kBinUnicode);
    raw(static_cast<std::uint32_t>(text.size()));
  } else if (text.size() <= std::numeric_limits<std::uint8_t>::max()) {
    opcode(static_cast<char>(kShortBinUnicode));
    raw(static_cast<std::uint8_t>(text.size()));
  } else {
    opcode(static_cast<char>(kBinUnicode8));
    raw(static_cast<std::uint64_t>(text.size()));
  }
  out_.append(text);
  strings_.emplace(text, memoize());
}

void PickleWriter::bytes(std::string_view text) {
  if (protocol_ == Protocol::two) {
    type("_codecs", "encode");
    string(as_latin1(text));
    string("latin1");
    tuple(2);
    return reduce();
  }
  if (text.size() <= std::numeric_limits<std::uint8_t>::max()) {
    opcode(kShortBinBytes);
    raw(static_cast<std::uint8_t>(text.size()));
  } else {
    opcode(kBinBytes);
    raw(static_cast<std::uint32_t>(text.size()));
  }
  out_.append(text);
}

void PickleWriter::type(const std::string& module, const std::string& name) {
  const std::string whole = module + "." + name;
  if (const auto known = types_.find(whole); known != types_.end()) { return get(known->second); }
  if (protocol_ == Protocol::two) {
    opcode(kGlobal);
    out_.append(module).append("\n").append(name).append("\n");
  } else {
    string(module);
    string(name);
    opcode(static_cast<char>(kStackGlobal));
  }
  types_.emplace(whole, memoize());
}

void PickleWriter::tuple(std::size_t count) {
  constexpr unsigned char kCodes[] = {kEmptyTuple, kTuple1, kTuple2, kTuple3};
  opcode(static_cast<char>(kCodes[count]));
}

void PickleWriter::tuple_from_mark() {
  opcode(kTuple);
}
void PickleWriter::empty_list() {
  opcode(kEmptyList);
}
void PickleWriter::empty_dict() {
  opcode(kEmptyDict);
}
void PickleWriter::empty_set() {
  opcode(static_cast<char>(kEmptySet));
}
void PickleWriter::mark() {
  opcode(kMark);
}
void PickleWriter::appends() {
  opcode(kAppends);
}
void PickleWriter::persistent_id() {
  opcode(kBinPersId);
}
void PickleWriter::set_items() {
  opcode(kSetItems);
}
void PickleWriter::add_items() {
  opcode(static_cast<char>(kAddItems));
}
void PickleWriter::reduce() {
  opcode(kReduce);
}
void PickleWriter::new_object() {
  opcode(static_cast<char>(kNewObj));
}
void PickleWriter::build() {
  opcode(kBuild);
}

PickleWriter::Memo PickleWriter::memoize() {
  if (protocol_ == Protocol::four) {
    opcode(static_cast<char>(kMemoize));
  } else if (memos_ <= std::numeric_limits<std::uint8_t>::max()) {
    opcode(kBinPut);
    raw(static_cast<std::uint8_t>(memos_));
  } else {
    opcode(kLongBinPut);
    raw(static_cast<std::uint32_t>(memos_));
  }
  return memos_++;
}

void PickleWriter::get(Memo memo) {
  if (memo <= std::numeric_limits<std::uint8_t>::max()) {
    opcode(kBinGet);
    raw(static_cast<std::uint8_t>(memo));
  } else {
    opcode(kLongBinGet);
    raw(static_cast<std::uint32_t>(memo));
  }
}

std::string PickleWriter::finish() {
  opcode(kStop);
  return std::move(out_);
}

}  // namespace mdl
