#include "worker/hub/modelscope.hpp"

#include <algorithm>

#include "common/log.hpp"
#include "common/str_cat.hpp"
#include "worker/http/url.hpp"
#include "worker/hub/model_folder.hpp"
#include "worker/hub/modelscope_listing.hpp"

namespace mdl::worker::hub {
namespace {

constexpr std::size_t kMostListingBytes = 16 << 20;
constexpr const char* kNetwork =
    "Check the network, the proxy (https_proxy), and MODELSCOPE_ENDPOINT and MODELSCOPE_DOMAIN where they are set.";

std::string branch_of(const ModelName& model) {
  return model.revision.value_or("master");
}

}  // namespace

bool Modelscope::sends_token() const {
  const auto endpoint = http::parse_url(settings_.endpoint);
  return settings_.token && (endpoint->scheme == "https" || endpoint->is_loopback());
}

http::Request Modelscope::request(const ModelName& model, const std::string& page_and_query) const {
  http::Request request;
  request.url = str_cat(settings_.endpoint, "/api/v1/models/", model.repository(), "/", page_and_query);
  request.may_leave_https = false;
  if (sends_token()) {
    request.authorization = "Bearer " + *settings_.token;
    request.cookie = "m_session_id=" + *settings_.token;
  }
  return request;
}

Listing Modelscope::list(http::Client& client, const ModelName& model) const {
  settings_ = read_modelscope_settings(lookup_);
  if (settings_.token && !sends_token()) {
    log::warning("the token is not sent: ", http::without_password(settings_.endpoint), " is not https");
  }
  const std::string revision = branch_of(model);
  const auto question =
      request(model, str_cat("repo/files?Revision=", http::percent_encoded(revision), "&Recursive=True"));
  const auto answer = client.text(question, kMostListingBytes);
  if (!answer) { throw Unlisted(explain(model, "", answer.error()), answer.error().response.status); }
  Listing listing{.commit = revision, .files = parse_modelscope_files(answer->second, model.repository())};
  std::ranges::replace_if(
      listing.commit, [](char letter) { return std::string_view("/+@#%=,").find(letter) != std::string_view::npos; },
      '-');
  check_listed(listing, model.repository());
  return listing;
}

http::Request Modelscope::file_request(const ModelName& model, const Listing& /*listing*/,
                                       const ListedFile& file) const {
  return request(model, str_cat("repo?Revision=", http::percent_encoded(branch_of(model)),
                                "&FilePath=", http::percent_encoded(file.path)));
}

Error Modelscope::explain(const ModelName& model, const std::string& file, const http::Failure& failure) const {
  using Kind = http::Failure::Kind;
  const std::string endpoint = http::without_password(settings_.endpoint);
  const std::string what = file.empty() ? model.text() : str_cat(file, " of ", model.text());
  const long status = failure.response.status;
  if (failure.kind == Kind::certificate) {
    return Error(str_cat("cannot ask ", failure.url, " for ", what, ": ", failure.reason), failure.advice);
  }
  if (failure.kind != Kind::status) {
    return Error(str_cat("cannot get ", what, " from ", failure.url, ": ", failure.reason), kNetwork);
  }
  const std::string said = modelscope_message(failure.body_start);
  const std::string reason = said.empty() ? failure.reason : str_cat(failure.reason, ": ", said);
  const std::string page = str_cat(endpoint, "/models/", model.repository());
  const std::string token = str_cat("set MODELSCOPE_API_TOKEN to a token of an account that may read it",
                                    settings_.token ? " (the one that is set may not)" : "");
  const auto answered = http::parse_url(failure.url);
  const bool by_hub = file.empty() || (answered && answered->same_origin(*http::parse_url(settings_.endpoint)));
  if ((status == 401 || status == 403) && by_hub) {
    return UsageError(str_cat("ModelScope does not give ", what, " (", reason, "): it is private, or its terms have ",
                              "to be accepted first"),
                      str_cat("Look at ", page, ", and ", token, "."));
  }
  if (status == 404 && file.empty()) {
    return UsageError(
        str_cat(model.text(), " is not here, and there is no model of that name",
                model.revision ? " (or not with that revision)" : "", " at ", endpoint, " (", reason, ")"),
        str_cat("Check the spelling: a name is as ", kDefaultModelscopeModel, ". For a private model (", page, ") ",
                token,
                "; one of the international site needs MODELSCOPE_ENDPOINT=https://www.modelscope.ai, one at Hugging ",
                "Face no --from-modelscope."));
  }
  if (status == 429) {
    return Error(str_cat("ModelScope answers no more questions about ", what, " for now (", reason, ")"),
                 "Try again in some minutes: what has come stays.");
  }
  return Error(str_cat("cannot get ", what, " from ", failure.url, ": ", reason),
               status >= 500 ? "The server has trouble: try again later. What has come stays." : kNetwork);
}

}  // namespace mdl::worker::hub
