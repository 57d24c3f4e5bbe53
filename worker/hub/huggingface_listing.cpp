#include "worker/hub/huggingface_listing.hpp"

#include <nlohmann/json.hpp>

#include "common/error.hpp"
#include "common/json_nesting.hpp"
#include "common/str_cat.hpp"

namespace mdl::worker::hub {
namespace {

using nlohmann::json;

[[noreturn]] void reject(const std::string& repository, const std::string& why) {
  throw Error(str_cat("the answer about ", repository, " is none of Hugging Face's API: ", why),
              "Check HF_ENDPOINT, and the proxy if there is one.");
}

json parse(const std::string& text, const std::string& repository) {
  if (json_nesting(text) > kMaxJsonNesting) { reject(repository, "it nests too deeply"); }
  json parsed = json::parse(text, nullptr, false);
  if (parsed.is_discarded()) { reject(repository, "it is no JSON"); }
  return parsed;
}

std::string text_of(const json& object, const char* key, const std::string& repository) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_string()) { reject(repository, str_cat("there is no text \"", key, "\"")); }
  return found->get<std::string>();
}

std::int64_t size_of(const json& object, const std::string& repository) {
  const auto found = object.find("size");
  if (found == object.end() || !found->is_number_unsigned() || found->get<std::uint64_t>() > INT64_MAX) {
    reject(repository, "a file has no size");
  }
  return found->get<std::int64_t>();
}

}  // namespace

std::string parse_commit(const std::string& text, const std::string& repository) {
  const json answer = parse(text, repository);
  if (!answer.is_object()) { reject(repository, "it is no object"); }
  return text_of(answer, "sha", repository);
}

std::vector<ListedFile> parse_tree_page(const std::string& text, const std::string& repository) {
  const json entries = parse(text, repository);
  if (!entries.is_array()) { reject(repository, "it is no list"); }
  std::vector<ListedFile> files;
  for (const json& entry : entries) {
    if (!entry.is_object()) { reject(repository, "a file is no object"); }
    if (text_of(entry, "type", repository) != "file") { continue; }  // folders
    ListedFile file{.path = text_of(entry, "path", repository), .size = size_of(entry, repository), .digest = {}};
    if (const auto lfs = entry.find("lfs"); lfs != entry.end() && lfs->is_object()) {
      file.size = size_of(*lfs, repository);
      file.digest = {Digest::Kind::sha256, text_of(*lfs, "oid", repository)};
    } else {
      file.digest = {Digest::Kind::git_blob, text_of(entry, "oid", repository)};
    }
    files.push_back(std::move(file));
  }
  return files;
}

std::optional<std::string> next_page(const std::string& header) {
  for (std::size_t begin = header.find('<'); begin != std::string::npos; begin = header.find('<', begin + 1)) {
    const auto end = header.find('>', begin);
    if (end == std::string::npos) { return std::nullopt; }
    const std::string parameters = header.substr(end, header.find('<', end) - end);
    if (parameters.find("rel=\"next\"") != std::string::npos || parameters.find("rel=next") != std::string::npos) {
      return header.substr(begin + 1, end - begin - 1);
    }
  }
  return std::nullopt;
}

}  // namespace mdl::worker::hub
