#include "worker/hub/listing.hpp"

#include <algorithm>
#include <set>

#include "common/error.hpp"
#include "common/str_cat.hpp"

namespace mdl::worker::hub {
namespace {

constexpr std::size_t kLongestPart = 255;  // what Linux takes as a name
constexpr std::size_t kLongestPath = 1024;
constexpr const char* kAdvice = "Nothing was written. Such a repository is broken or hostile: use another one.";

/// What may stand in a message of a text that a stranger wrote.
std::string in_quotes(std::string_view text) {
  std::string shown;
  for (const char letter : text.substr(0, 100)) {
    shown += static_cast<unsigned char>(letter) < ' ' || letter == 127 ? '?' : letter;
  }
  return str_cat("\"", shown, text.size() > 100 ? "…" : "", "\"");
}

bool is_commit_word(std::string_view text) {
  return !text.empty() && text.size() <= 255 && text.front() != '.' && std::ranges::all_of(text, [](char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || (letter >= '0' && letter <= '9') ||
           letter == '-' || letter == '_' || letter == '.';
  });
}

/// Whether the bytes are UTF-8, as far as the number of bytes of each letter goes.
bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto first = static_cast<unsigned char>(text[i]);
    const std::size_t length = first < 0x80                    ? 1
                               : first >= 0xC2 && first < 0xE0 ? 2
                               : first >= 0xE0 && first < 0xF0 ? 3
                               : first >= 0xF0 && first < 0xF5 ? 4
                                                               : 0;
    if (length == 0 || i + length > text.size()) { return false; }
    for (std::size_t k = 1; k < length; ++k) {
      if ((static_cast<unsigned char>(text[i + k]) & 0xC0) != 0x80) { return false; }
    }
    i += length;
  }
  return true;
}

}  // namespace

const ListedFile* Listing::find(std::string_view path) const {
  const auto found = std::ranges::find(files, path, &ListedFile::path);
  return found == files.end() ? nullptr : &*found;
}

bool is_safe_path(std::string_view path) {
  if (path.empty() || path.size() > kLongestPath || !is_utf8(path)) { return false; }
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view part = path.substr(begin, end - begin);
    if (part.empty() || part == "." || part == ".." || part.size() > kLongestPart) { return false; }
    begin = end + 1;
  }
  return std::ranges::none_of(
      path, [](char letter) { return static_cast<unsigned char>(letter) < ' ' || letter == 127 || letter == '\\'; });
}

void check_listed(const Listing& listing, const std::string& repository) {
  const auto refuse = [&](const auto&... why) {
    throw Error(str_cat("the listing of ", repository, " is refused: ", why...), kAdvice);
  };
  if (!is_commit_word(listing.commit)) { refuse("its commit is ", in_quotes(listing.commit)); }
  if (listing.files.size() > kMaxFiles) { refuse("it has more than ", kMaxFiles, " files"); }
  std::set<std::string_view> paths;
  for (const ListedFile& file : listing.files) {
    if (!is_safe_path(file.path)) { refuse("a file has the name ", in_quotes(file.path)); }
    if (!paths.insert(file.path).second) { refuse("it has ", in_quotes(file.path), " twice"); }
    if (file.size < 0 || file.size > kMaxFileSize) { refuse(in_quotes(file.path), " has ", file.size, " bytes"); }
    if (!is_digest(file.digest.kind, file.digest.hex)) {
      refuse(in_quotes(file.path), " has the hash ", in_quotes(file.digest.hex));
    }
  }
  for (const std::string_view path : paths) {
    for (auto slash = path.find('/'); slash != std::string_view::npos; slash = path.find('/', slash + 1)) {
      if (paths.contains(path.substr(0, slash))) {
        refuse(in_quotes(path.substr(0, slash)), " is a file and a folder");
      }
    }
  }
}

}  // namespace mdl::worker::hub
