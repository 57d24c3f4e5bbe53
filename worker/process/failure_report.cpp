#include "worker/process/failure_report.hpp"

#include <algorithm>
#include <array>
#include <iostream>
#include <string_view>

#include "common/str_cat.hpp"
#include "worker/process/error_file.hpp"
#include "worker/process/worker_environment.hpp"

namespace mdl::worker::process {

namespace {

bool steers_terminal(std::string_view letter) {
  const auto first = static_cast<unsigned char>(letter.front());
  if (letter.size() == 1) { return (first < ' ' && first != '\n' && first != '\t') || first == 127; }
  if (letter.size() == 2 && first == 0xC2) { return static_cast<unsigned char>(letter[1]) < 0xA0; }
  constexpr std::array<std::string_view, 12> kMarks = {"\u061C", "\u200E", "\u200F", "\u202A", "\u202B", "\u202C",
                                                       "\u202D", "\u202E", "\u2066", "\u2067", "\u2068", "\u2069"};
  return std::ranges::find(kMarks, letter) != kMarks.end();
}

}  // namespace

std::string without_escapes(const std::string& message) {
  std::string shown;
  for (std::size_t begin = 0; begin < message.size();) {
    std::size_t end = begin + 1;
    while (end < message.size() && (static_cast<unsigned char>(message[end]) & 0xC0) == 0x80) { ++end; }
    const std::string_view letter = std::string_view(message).substr(begin, end - begin);
    const bool steers = steers_terminal(letter);
    for (const char byte : letter) {
      constexpr std::string_view kDigits = "0123456789abcdef";
      const auto value = static_cast<unsigned char>(byte);
      if (steers) {
        shown += {'\\', 'x', kDigits[value >> 4], kDigits[value & 15]};
      } else {
        shown += byte;
      }
    }
    begin = end;
  }
  return shown;
}

int report_failure(const std::string& problem, int exit_code) {
  const std::string message = without_escapes(problem);
  const auto rank = lookup_environment("RANK");
  std::cout << std::flush;
  // One write, so that the messages of several ranks do not mix.
  std::cerr << str_cat("mdl-toolkit: error: ", rank ? str_cat("rank ", *rank, ": ") : "", message, "\n") << std::flush;
  write_error_file(message);
  return exit_code;
}

}  // namespace mdl::worker::process
