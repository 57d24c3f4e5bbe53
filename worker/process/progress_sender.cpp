#include "worker/process/progress_sender.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <nlohmann/json.hpp>

namespace mdl::worker::process {
namespace {

UniqueFd connected_socket(const char* path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (!path || std::strlen(path) == 0 || std::strlen(path) >= sizeof address.sun_path) { return {}; }
  std::strcpy(address.sun_path, path);
  UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) { return {}; }
  return socket;
}

}  // namespace

ProgressSender::ProgressSender(const char* path) : socket_(connected_socket(path)) {}

void ProgressSender::step(const Step& step) {
  if (!socket_) { return; }
  const auto now = std::chrono::steady_clock::now();
  if (step.step < step.total && now - last_ < kApart) { return; }
  last_ = now;
  nlohmann::json message = {{"step", step.step},
                            {"total", step.total},
                            {"samples", step.samples},
                            {"own", step.own},
                            {"waiting", step.waiting}};
  // What is no number is written as null, which is none of them.
  if (step.loss) { message["loss"] = *step.loss; }
  if (step.learning_rate) { message["learning_rate"] = *step.learning_rate; }
  if (step.grad_norm) { message["grad_norm"] = *step.grad_norm; }
  send(message.dump());
}

void ProgressSender::evaluated(double loss) {
  const nlohmann::json message = {{"eval_loss", loss}};
  send(message.dump());
}

void ProgressSender::send(const std::string& message) const {
  if (!socket_) { return; }
  // Where the launcher's buffer is full, or it has gone, the message is lost.
  static_cast<void>(!::send(socket_.get(), message.data(), message.size(), MSG_DONTWAIT | MSG_NOSIGNAL));
}

ProgressSender::Section::Section(ProgressSender& sender, const std::string& name, std::optional<double> longest)
    : sender_(sender) {
  nlohmann::json message = {{"section", name}};
  if (longest) { message["section_seconds"] = *longest; }
  sender.send(message.dump());
}

ProgressSender::Section::~Section() {
  sender_.send(R"({"section":null})");
}

}  // namespace mdl::worker::process
