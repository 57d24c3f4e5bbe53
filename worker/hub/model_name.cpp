#include "worker/hub/model_name.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "common/str_cat.hpp"

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

constexpr std::array<std::string_view, 3> kHuggingFaceHosts = {"huggingface.co", "hf.co", "hf-mirror.com"};
constexpr std::array<std::string_view, 2> kModelscopeHosts = {"modelscope.cn", "modelscope.ai"};

/// Where an organization's name would stand, in addresses of other pages.
constexpr std::array<std::string_view, 5> kOtherPages = {"datasets", "spaces", "models", "docs", "api"};

/// Of a page's address, what comes before the revision: /tree/REVISION.
constexpr std::array<std::string_view, 4> kBeforeRevision = {"tree", "blob", "resolve", "raw"};

bool is_one_of(std::string_view word, const auto& words) {
  return std::ranges::find(words, word) != words.end();
}

/// The parts between slashes that are not empty, without "?query" and "#fragment".
std::vector<std::string> parts_of(std::string_view address) {
  std::vector<std::string> parts;
  address = address.substr(0, address.find_first_of("?#"));
  while (!address.empty()) {
    const auto slash = std::min(address.find('/'), address.size());
    if (slash > 0) { parts.emplace_back(address.substr(0, slash)); }
    address.remove_prefix(std::min(slash + 1, address.size()));
  }
  return parts;
}

/// A revision with slashes stands in an address with %2F.
std::string with_slashes(std::string text) {
  for (const char* const slash : {"%2F", "%2f"}) {
    for (auto at = text.find(slash); at != std::string::npos; at = text.find(slash)) { text.replace(at, 3, "/"); }
  }
  return text;
}

/// The model whose page has this address, with or without "https://".
std::optional<MeantModel> model_of_page(std::string_view address) {
  if (const auto scheme = address.find("://"); scheme != std::string_view::npos) { address.remove_prefix(scheme + 3); }
  std::vector<std::string> parts = parts_of(address);
  if (parts.size() < 3) { return std::nullopt; }
  std::string_view host = parts[0];
  if (host.starts_with("www.")) { host.remove_prefix(4); }
  const bool modelscope = is_one_of(host, kModelscopeHosts);
  if (!modelscope && !is_one_of(host, kHuggingFaceHosts)) { return std::nullopt; }
  parts.erase(parts.begin(), parts.begin() + (modelscope && parts[1] == "models" ? 2 : 1));
  if (parts.size() < 2 || is_one_of(parts[0], kOtherPages)) { return std::nullopt; }
  std::string name = parts[1];
  if (name.ends_with(".git")) { name.resize(name.size() - 4); }
  auto model = parse_model_name(str_cat(parts[0], "/", name));
  if (!model) { return std::nullopt; }
  if (parts.size() > 3 && is_one_of(parts[2], kBeforeRevision)) {
    const std::string revision = with_slashes(parts[3]);
    if (is_revision(revision) && revision != (modelscope ? "master" : "main")) { model->revision = revision; }
  }
  return MeantModel{*model, modelscope};
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

std::optional<MeantModel> meant_model(std::string_view typed, bool from_modelscope) {
  if (auto found = model_of_page(typed)) { return found; }
  if (!typed.ends_with('/')) { return std::nullopt; }
  while (typed.ends_with('/')) { typed.remove_suffix(1); }
  const auto model = parse_model_name(typed);
  return model ? std::optional(MeantModel{*model, from_modelscope}) : std::nullopt;
}

std::string did_you_mean_model(std::string_view typed, bool from_modelscope) {
  const auto meant = meant_model(typed, from_modelscope);
  if (!meant) { return {}; }
  return str_cat("Did you mean ", meant->model.text(),
                 meant->at_modelscope == from_modelscope ? ""
                 : meant->at_modelscope                  ? " with --from-modelscope true"
                                                         : " without --from-modelscope true",
                 "? ");
}

}  // namespace mdl::worker::hub
