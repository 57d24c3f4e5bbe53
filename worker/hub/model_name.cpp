#include "worker/hub/model_name.hpp"

#include <algorithm>

namespace mdl::worker::hub {
namespace {

bool is_alphanumeric(char letter) {
  return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || (letter >= '0' && letter <= '9');
}

/// ORG or NAME. huggingface_hub asks for word boundaries at both ends, so "_" may stand there.
bool is_name_part(std::string_view part) {
  const auto is_end = [](char letter) { return is_alphanumeric(letter) || letter == '_'; };
  return !part.empty() && part.size() <= 96 && is_end(part.front()) && is_end(part.back()) &&
         part.find("--") == std::string_view::npos && part.find("..") == std::string_view::npos &&
         std::ranges::all_of(part, [&](char letter) { return is_end(letter) || letter == '-' || letter == '.'; });
}

}  // namespace

bool is_revision(std::string_view text) {
  const auto is_allowed = [](char letter) {
    return is_alphanumeric(letter) || std::string_view("-_./+@#%=,").find(letter) != std::string_view::npos;
  };
  return !text.empty() && text.size() <= 255 && std::ranges::all_of(text, is_allowed) && text.front() != '/' &&
         text.front() != '-' && text.front() != '.' && text.back() != '/' && text.back() != '.' &&
         text.find("..") == std::string_view::npos && text.find("//") == std::string_view::npos &&
         text.find("/.") == std::string_view::npos;
}

bool is_commit(std::string_view text) {
  return text.size() == 40 && std::ranges::all_of(text, [](char letter) {
           return (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'f');
         });
}

std::optional<ModelName> parse_model_name(std::string_view text) {
  ModelName name;
  const auto at = text.find('@');
  if (at != std::string_view::npos) {
    name.revision = text.substr(at + 1);
    if (!is_revision(*name.revision)) { return std::nullopt; }
  }
  const std::string_view repository = text.substr(0, at);
  const auto slash = repository.find('/');
  if (slash == std::string_view::npos) { return std::nullopt; }
  name.organization = repository.substr(0, slash);
  name.name = repository.substr(slash + 1);
  if (!is_name_part(name.organization) || !is_name_part(name.name) || name.name.ends_with(".git")) {
    return std::nullopt;
  }
  return name;
}

}  // namespace mdl::worker::hub
