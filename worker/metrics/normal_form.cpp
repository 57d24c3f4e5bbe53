#include "worker/metrics/normal_form.hpp"

#include <utf8proc.h>

#include <cstdlib>
#include <map>
#include <string_view>

#include "worker/text/unicode.hpp"

namespace mdl::worker::metrics {
namespace {

enum class Form { composed, decomposed };

/// NFKC or NFKD.
std::u32string compatible(const std::string& text, Form form) {
  const std::string valid = text::to_utf8_lossy(text);
  const auto options = static_cast<utf8proc_option_t>(UTF8PROC_COMPAT | UTF8PROC_STABLE |
                                                      (form == Form::composed ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE));
  utf8proc_uint8_t* mapped = nullptr;
  const auto size = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(valid.data()),
                                 static_cast<utf8proc_ssize_t>(valid.size()), &mapped, options);
  const std::string result =
      size < 0 ? valid : std::string(reinterpret_cast<char*>(mapped), static_cast<std::size_t>(size));
  std::free(mapped);
  return text::to_code_points(result);
}

utf8proc_category_t category(char32_t c) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(c));
}

bool is_punctuation(utf8proc_category_t category) {
  return category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO;
}

bool is_mark(utf8proc_category_t category) {
  return category >= UTF8PROC_CATEGORY_MN && category <= UTF8PROC_CATEGORY_ME;
}

bool is_symbol(utf8proc_category_t category) {
  return category >= UTF8PROC_CATEGORY_SM && category <= UTF8PROC_CATEGORY_SO;
}

std::u32string lower(std::u32string_view text) {
  constexpr char32_t kDottedI = 0x130, kDotAbove = 0x307;  // the one letter whose small form is two
  std::u32string small;
  for (const char32_t c : text) {
    if (c == kDottedI) {
      small += {U'i', kDotAbove};
    } else {
      small += static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c)));
    }
  }
  return small;
}

/// One blank for each stretch of white space, none at the ends.
std::u32string joined_blanks(std::u32string_view text) {
  std::u32string joined;
  bool blank = false;
  for (const char32_t c : text) {
    if (text::is_python_space(c)) {
      blank = !joined.empty();
      continue;
    }
    if (blank) { joined += U' '; }
    blank = false;
    joined += c;
  }
  return joined;
}

const std::map<char32_t, std::u32string>& plain_letters() {
  static const std::map<char32_t, std::u32string> letters = {{U'œ', U"oe"}, {U'Œ', U"OE"}, {U'ø', U"o"},  {U'Ø', U"O"},
                                                             {U'æ', U"ae"}, {U'Æ', U"AE"}, {U'ß', U"ss"}, {U'ẞ', U"SS"},
                                                             {U'đ', U"d"},  {U'Đ', U"D"},  {U'ð', U"d"},  {U'Ð', U"D"},
                                                             {U'þ', U"th"}, {U'Þ', U"th"}, {U'ł', U"l"},  {U'Ł', U"L"}};
  return letters;
}

}  // namespace

std::string stripped(const std::string& text) {
  const std::u32string all = text::to_code_points(text::to_utf8_lossy(text));
  std::size_t begin = 0, end = all.size();
  while (begin < end && text::is_python_space(all[begin])) { ++begin; }
  while (end > begin && text::is_python_space(all[end - 1])) { --end; }
  return text::to_utf8(std::u32string_view(all).substr(begin, end - begin));
}

std::string label_form(const std::string& text) {
  std::u32string label = joined_blanks(lower(compatible(text, Form::composed)));
  while (!label.empty() && std::u32string_view(U".!?。 ").find(label.back()) != std::u32string_view::npos) {
    label.pop_back();
  }
  return text::to_utf8(label);
}

std::u32string character_form(const std::string& text) {
  std::u32string kept;
  for (const char32_t c : compatible(text, Form::composed)) {
    if (!is_punctuation(category(c))) { kept += c; }
  }
  return joined_blanks(kept);
}

std::string lower(const std::string& text) {
  return text::to_utf8(lower(text::to_code_points(text::to_utf8_lossy(text))));
}

std::string without_symbols_and_diacritics(const std::string& text, const std::u32string& keep) {
  std::u32string plain;
  for (const char32_t c : compatible(text, Form::decomposed)) {
    const utf8proc_category_t kind = category(c);
    const auto letter = plain_letters().find(c);
    if (keep.find(c) != std::u32string::npos) {
      plain += c;
    } else if (letter != plain_letters().end()) {
      plain += letter->second;
    } else if (kind == UTF8PROC_CATEGORY_MN) {
      continue;
    } else {
      plain += is_mark(kind) || is_symbol(kind) || is_punctuation(kind) ? U' ' : c;
    }
  }
  return text::to_utf8(plain);
}

}  // namespace mdl::worker::metrics
