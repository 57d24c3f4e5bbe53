#include "launcher/command_line/template_string.hpp"

namespace mdl::launcher::command_line {
namespace {

// Python's identifiers of a Template are ASCII and case-insensitive in form, not in meaning.
bool starts_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool continues_name(char c) {
  return starts_name(c) || (c >= '0' && c <= '9');
}

}  // namespace

std::string substitute_template(std::string_view text, const std::map<std::string, std::string, std::less<>>& values) {
  std::string result;
  std::size_t i = 0;
  while (i < text.size()) {
    if (text[i] != '$') {
      result += text[i++];
      continue;
    }
    if (i + 1 < text.size() && text[i + 1] == '$') {
      result += '$';
      i += 2;
      continue;
    }
    const bool braced = i + 1 < text.size() && text[i + 1] == '{';
    const std::size_t begin = i + (braced ? 2 : 1);
    std::size_t end = begin;
    if (end < text.size() && starts_name(text[end])) {
      while (end < text.size() && continues_name(text[end])) { ++end; }
    }
    const bool named = end > begin && (!braced || (end < text.size() && text[end] == '}'));
    const auto value = named ? values.find(text.substr(begin, end - begin)) : values.end();
    if (value == values.end()) {
      result += text[i++];
      continue;
    }
    result += value->second;
    i = end + (braced ? 1 : 0);
  }
  return result;
}

}  // namespace mdl::launcher::command_line
