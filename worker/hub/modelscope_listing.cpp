#include "worker/hub/modelscope_listing.hpp"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "common/error.hpp"
#include "common/json_nesting.hpp"
#include "common/str_cat.hpp"

namespace mdl::worker::hub {
namespace {

using nlohmann::json;

[[noreturn]] void refuse_answer(const std::string& repository, const std::string& why) {
  throw Error(str_cat("the answer about ", repository, " is none of ModelScope's API: ", why),
              "Check MODELSCOPE_ENDPOINT and MODELSCOPE_DOMAIN, and the proxy if there is one.");
}

/// The text under `key`; empty where it is missing or null.
std::string optional_text(const json& object, const char* key, const std::string& repository) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) { return {}; }
  if (!found->is_string()) { refuse_answer(repository, str_cat("\"", key, "\" of a file is no text")); }
  return found->get<std::string>();
}

ListedFile file_of(const json& entry, const std::string& repository) {
  ListedFile file{.path = optional_text(entry, "Path", repository), .size = 0, .digest = {}};
  const auto size = entry.find("Size");
  if (size == entry.end() || !size->is_number_unsigned() || size->get<std::uint64_t>() > INT64_MAX) {
    refuse_answer(repository, "a file has no size");
  }
  file.size = size->get<std::int64_t>();
  file.revision = optional_text(entry, "Revision", repository);
  std::string sha256 = optional_text(entry, "Sha256", repository);
  std::ranges::transform(sha256, sha256.begin(), [](unsigned char letter) { return std::tolower(letter); });
  if (!sha256.empty()) { file.digest = {Digest::Kind::sha256, std::move(sha256)}; }
  return file;
}

json parse_answer(const std::string& text) {
  return json_nesting(text) > kMaxJsonNesting ? json(json::value_t::discarded) : json::parse(text, nullptr, false);
}

}  // namespace

std::vector<ListedFile> parse_modelscope_files(const std::string& text, const std::string& repository) {
  const json answer = parse_answer(text);
  if (!answer.is_object()) { refuse_answer(repository, "it is no JSON object"); }
  const auto data = answer.find("Data");
  if (data == answer.end() || !data->is_object()) { refuse_answer(repository, "there is no object \"Data\""); }
  const auto entries = data->find("Files");
  if (entries == data->end() || !entries->is_array()) { refuse_answer(repository, "there is no list \"Files\""); }
  if (entries->size() >= kModelscopeListingLimit) {
    throw Error(str_cat(repository, " has ", kModelscopeListingLimit, " files or more, and ModelScope lists no more"),
                "Take the model from Hugging Face, or download it with the Python program modelscope.");
  }
  std::vector<ListedFile> files;
  for (const json& entry : *entries) {
    if (!entry.is_object()) { refuse_answer(repository, "a file is no object"); }
    if (optional_text(entry, "Type", repository) == "tree") { continue; }
    files.push_back(file_of(entry, repository));
  }
  return files;
}

std::string modelscope_message(const std::string& text) {
  const json answer = parse_answer(text);
  if (!answer.is_object()) { return {}; }
  const auto message = answer.find("Message");
  if (message == answer.end() || !message->is_string()) { return {}; }
  std::string shown = message->get<std::string>().substr(0, 200);
  std::ranges::replace_if(shown, [](unsigned char letter) { return letter < ' ' || letter > '~'; }, '?');
  return shown;
}

}  // namespace mdl::worker::hub
