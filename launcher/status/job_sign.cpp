#include "launcher/status/job_sign.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/error.hpp"
#include "common/log.hpp"
#include "common/str_cat.hpp"
#include "common/unique_fd.hpp"
#include "common/uuid.hpp"

namespace mdl::launcher::status {
namespace {
using nlohmann::json;

constexpr int kSignVersion = 1;
constexpr int kSignBacklog = 16;
constexpr std::chrono::milliseconds kSignRest{5};  // between two askers, whoever they are

std::string text_at(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

/// An empty one, with errno set, when it cannot be had.
UniqueFd listen_as(const std::string& name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + 1, name.data(), std::min(name.size(), sizeof address.sun_path - 1));
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): the interface is so
  const auto* where = reinterpret_cast<const sockaddr*>(&address);
  if (!socket || ::bind(socket.get(), where, size) != 0 || ::listen(socket.get(), kSignBacklog) != 0) { return {}; }
  return socket;
}

bool is_same_user(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && (peer.uid == ::geteuid() || peer.uid == 0);
}

}  // namespace

std::string to_text(const SignedJob& job) {
  const json object = {{"version", kSignVersion}, {"job", job.run_id},    {"host", job.store.host},
                       {"port", job.store.port},  {"secret", job.secret}, {"secret_file", job.secret_file},
                       {"script", job.script}};
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::optional<SignedJob> signed_job_from_text(std::string_view text) {
  if (text.size() > kLargestSign) { return std::nullopt; }
  const json object = json::parse(text, nullptr, false);
  if (!object.is_object() || object.value("version", json()) != kSignVersion) { return std::nullopt; }
  const json port = object.value("port", json());
  if (!port.is_number_unsigned() || port.get<std::uint64_t>() > 65535) { return std::nullopt; }
  SignedJob job;
  job.run_id = text_at(object, "job");
  job.store = Endpoint(text_at(object, "host"), port.get<std::uint16_t>());
  job.secret = text_at(object, "secret");
  job.secret_file = text_at(object, "secret_file");
  job.script = text_at(object, "script");
  return job.run_id.empty() || job.store.host.empty() ? std::nullopt : std::optional(job);
}

std::string sign_prefix() {
  return str_cat("mdl-launch.job/", ::geteuid(), "/");
}

/// Shared with the coroutine that tells, which may end a little after its owner.
struct JobSign::Session {
  Session(asio::io_context& io, std::string what) : socket(io), rest(io), text(std::move(what)) {}

  void tell_one() {
    const UniqueFd asker(::accept4(socket.native_handle(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!asker || !is_same_user(asker.get())) { return; }
    // It has room for that; who has gone meanwhile needs no answer.
    (void)::send(asker.get(), text.data(), text.size(), MSG_NOSIGNAL);
  }

  asio::posix::stream_descriptor socket;
  asio::steady_timer rest;
  const std::string text;
};

JobSign::JobSign(asio::io_context& io, const SignedJob& job) : session_(std::make_shared<Session>(io, to_text(job))) {
  const std::string name = sign_prefix() + make_uuid();
  UniqueFd socket = listen_as(name);
  if (!socket || session_->text.size() > kLargestSign) {
    log::info(describe_errno("mdl-launch status will not find this job by itself: listen at the abstract socket", name,
                             errno));
    return;
  }
  session_->socket.assign(socket.release());
  asio::co_spawn(io, tell(session_), asio::detached);
}

JobSign::~JobSign() {
  boost::system::error_code ignored;
  session_->socket.close(ignored);
  session_->rest.cancel();
}

asio::awaitable<void> JobSign::tell(std::shared_ptr<Session> session) {
  boost::system::error_code error;
  while (session->socket.is_open()) {
    co_await session->socket.async_wait(asio::posix::stream_descriptor::wait_read,
                                        asio::redirect_error(asio::use_awaitable, error));
    if (error || !session->socket.is_open()) { co_return; }
    session->tell_one();
    session->rest.expires_after(kSignRest);
    co_await session->rest.async_wait(asio::redirect_error(asio::use_awaitable, error));
  }
}

}  // namespace mdl::launcher::status
