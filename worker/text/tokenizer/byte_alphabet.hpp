#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace mdl::worker::text::tokenizer {

/// The 256 characters with which byte-level BPE vocabularies write bytes, as GPT-2 introduced them: a byte that is a
/// printable character of Latin-1 other than the space stands for itself; the others follow from U+0100 on, in order.
std::string_view printable_of(unsigned char byte);

/// The bytes that a vocabulary entry stands for, or nothing when a character of it is not in the alphabet.
std::optional<std::string> bytes_of_printable(std::string_view token);

}  // namespace mdl::worker::text::tokenizer
