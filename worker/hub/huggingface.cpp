#include "worker/hub/huggingface.hpp"

#include <set>

#include "common/log.hpp"
#include "common/str_cat.hpp"
#include "worker/http/url.hpp"
#include "worker/hub/huggingface_listing.hpp"
#include "worker/hub/model_folder.hpp"

namespace mdl::worker::hub {
namespace {

constexpr std::size_t kMostPageBytes = 16 << 20;
constexpr int kMostPages = 64;
constexpr const char* kMirrors =
    " In China a mirror may help, HF_ENDPOINT=https://hf-mirror.com for example, or --from-modelscope true.";

/// What to do when the endpoint cannot be reached; who has chosen one already is not told of others.
std::string network_advice(const HubSettings& settings) {
  return str_cat("Check the network, the proxy (https_proxy) and HF_ENDPOINT.",
                 settings.endpoint == "https://huggingface.co" ? kMirrors : "");
}

/// Whether a revision may be meant as a commit but is cut short.
bool is_short_commit(const std::string& revision) {
  return revision.size() >= 7 && revision.size() < 40 &&
         revision.find_first_not_of("0123456789abcdef") == std::string::npos;
}

bool sends_token(const HubSettings& settings) {
  const auto endpoint = http::parse_url(settings.endpoint);
  return settings.token && (endpoint->scheme == "https" || endpoint->is_loopback());
}

}  // namespace

HuggingFace::HuggingFace(process::Lookup lookup)
    : lookup_(std::move(lookup)),
      settings_(read_cache_settings(lookup_)),
      cache_(settings_.cache, settings_.symlinks) {}

http::Request HuggingFace::request(const std::string& url) const {
  http::Request request;
  request.url = url;
  request.may_leave_https = false;
  request.connect_timeout = settings_.download_timeout;
  request.stall_timeout = settings_.download_timeout;
  const auto target = http::parse_url(url);
  if (sends_token(settings_) && target && target->same_origin(*http::parse_url(settings_.endpoint))) {
    request.authorization = "Bearer " + *settings_.token;
  }
  return request;
}

std::string HuggingFace::api(const ModelName& model) const {
  return str_cat(settings_.endpoint, "/api/models/", model.repository());
}

HuggingFace::Page HuggingFace::ask(http::Client& client, const ModelName& model, const std::string& url) const {
  http::Request question = request(url);
  question.connect_timeout = question.stall_timeout = settings_.etag_timeout;
  auto answer = client.text(question, kMostPageBytes, {.attempts = 4, .first_pause = std::chrono::milliseconds(500)});
  if (!answer) { throw Unlisted(explain(model, "", answer.error()), answer.error().response.status); }
  const std::string* const link = answer->first.header("link");
  return {std::move(answer->second), link ? next_page(*link) : std::nullopt};
}

std::string HuggingFace::page_at_endpoint(const std::string& next, const std::string& repository) const {
  const auto page = http::parse_url(next);
  if (page && page->same_origin(*http::parse_url(settings_.endpoint))) { return next; }
  if (page) { return str_cat(settings_.endpoint, page->path, "?", page->query); }
  if (!next.starts_with('/')) {  // after the endpoint it could be another host's name
    throw Error(str_cat("the listing of ", repository, " goes on at what is no address of ",
                        http::without_password(settings_.endpoint)),
                "Check HF_ENDPOINT, and the proxy if there is one.");
  }
  return settings_.endpoint + next;
}

Listing HuggingFace::list(http::Client& client, const ModelName& model) const {
  settings_ = read_hub_settings(lookup_);
  if (settings_.token && !sends_token(settings_)) {
    log::warning("the token is not sent: HF_ENDPOINT=", http::without_password(settings_.endpoint), " is not https");
  }
  Listing listing;
  const std::string revision = model.revision.value_or("main");
  if (is_commit(revision)) {
    listing.commit = revision;
  } else {
    const std::string url = str_cat(api(model), "/revision/", http::percent_encoded(revision));
    listing.commit = parse_commit(ask(client, model, url).text, model.repository());
    if (!is_commit(listing.commit)) {
      throw Error(str_cat("the answer about ", model.repository(), " names no commit of 40 digits"),
                  "Check HF_ENDPOINT, and the proxy if there is one.");
    }
  }
  listing.files = list_tree(client, model, listing.commit);
  check_listed(listing, model.repository());
  return listing;
}

std::vector<ListedFile> HuggingFace::list_tree(http::Client& client, const ModelName& model,
                                               const std::string& commit) const {
  std::vector<ListedFile> files;
  std::set<std::string> seen;  // addresses, and hashes of pages
  std::optional<std::string> next = str_cat(api(model), "/tree/", commit, "?recursive=true&expand=false");
  for (int pages = 1; next; ++pages) {
    const bool is_asked = pages <= kMostPages && seen.insert(*next).second;
    Page page = is_asked ? ask(client, model, *next) : Page{};
    if (!is_asked || !seen.insert(sha256_hex(page.text)).second) {
      throw Error(str_cat("the listing of ", model.repository(), " does not end: page ", pages,
                          pages > kMostPages ? " is one too many" : " has come before"),
                  "Check HF_ENDPOINT, and the proxy if there is one.");
    }
    for (ListedFile& file : parse_tree_page(page.text, model.repository())) { files.push_back(std::move(file)); }
    if (files.size() > kMaxFiles) { break; }  // check_listed() refuses them, before the rest takes memory
    next = page.next ? std::optional(page_at_endpoint(*page.next, model.repository())) : std::nullopt;
  }
  return files;
}

http::Request HuggingFace::file_request(const ModelName& model, const Listing& listing, const ListedFile& file) const {
  return request(str_cat(settings_.endpoint, "/", model.repository(), "/resolve/", listing.commit, "/",
                         http::percent_encoded(file.path, "/")));
}

Error HuggingFace::explain(const ModelName& model, const std::string& file, const http::Failure& failure) const {
  using Kind = http::Failure::Kind;
  const std::string endpoint = http::without_password(settings_.endpoint);
  const std::string what = file.empty() ? model.text() : str_cat(file, " of ", model.text());
  const std::string page = str_cat(endpoint, "/", model.repository());
  const long status = failure.response.status;
  if (failure.kind == Kind::certificate) {
    return Error(str_cat("cannot ask ", failure.url, " for ", what, ": ", failure.reason), failure.advice);
  }
  if (failure.kind != Kind::status) {
    return Error(str_cat("cannot get ", what, " from ", failure.url, ": ", failure.reason), network_advice(settings_));
  }
  const std::string* const code = failure.response.header("x-error-code");
  const auto answered = http::parse_url(failure.url);
  const bool by_hub = file.empty() || code || (answered && answered->same_origin(*http::parse_url(settings_.endpoint)));
  if ((status == 401 || status == 403) && by_hub) {
    const bool gated = code && *code == "GatedRepo";
    if (!gated && file.empty()) {
      return UsageError(
          str_cat(model.text(), " is not here, and Hugging Face does not give a model of that name (", failure.reason,
                  "): there is none, or it is private or gated"),
          str_cat("Check the spelling. For a private or gated model (", page, ") set HF_TOKEN to a token of an ",
                  "account that may read it", settings_.token ? " (the one that is set may not)" : "",
                  "; one at ModelScope needs --from-modelscope true."));
    }
    return UsageError(
        str_cat("Hugging Face does not give ", what, " (", failure.reason, "): ",
                gated ? "its terms have to be accepted first" : "there is no such model, or it is private or gated"),
        str_cat("Look at ", page, gated ? " and accept its terms" : "", ", and set HF_TOKEN to a token of an account ",
                "that may read it", settings_.token ? " (the one that is set may not)" : "", "."));
  }
  if (status == 404 && code && *code == "RevisionNotFound") {
    return UsageError(
        str_cat(model.repository(), " has no revision ", model.revision.value_or("main"), " at ", endpoint),
        str_cat("Its branches and tags are at ", page, ".",
                is_short_commit(model.revision.value_or("")) ? " A commit is given with all its 40 digits." : ""));
  }
  if (status == 404 && file.empty()) {
    return UsageError(str_cat(model.text(), " is not here, and there is no model of that name",
                              model.revision ? " (or not with that revision)" : "", " at ", endpoint,
                              settings_.token ? " that the token which is set (HF_TOKEN) may read" : ""),
                      str_cat("Check the spelling: a name is as ", kDefaultModel, "."));
  }
  if (status == 429) {
    return Error(str_cat("Hugging Face answers no more questions about ", what, " for now (", failure.reason, ")"),
                 settings_.token ? "Try again in some minutes: what has come stays."
                                 : "Try again in some minutes, or set HF_TOKEN, with which more is allowed: what has "
                                   "come stays.");
  }
  return Error(
      str_cat("cannot get ", what, " from ", failure.url, ": ", failure.reason),
      status >= 500 ? "The server has trouble: try again later. What has come stays." : network_advice(settings_));
}

}  // namespace mdl::worker::hub
