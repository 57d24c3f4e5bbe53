#include "launcher/output/left_stream.hpp"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>

#include "common/error.hpp"
#include "common/str_cat.hpp"

namespace mdl::launcher::output {
namespace {

constexpr std::size_t kDescriptors = 4;
constexpr std::size_t kLongestMessage = 192 * 1024;  // below the limit of a socket's buffer that Linux comes with

/// Room for descriptors beside a message, aligned as the kernel wants it.
union ControlRoom {
  std::array<char, CMSG_SPACE(kDescriptors * sizeof(int))> bytes;
  cmsghdr alignment;
};

/// CBOR and not JSON text: a line that was cut anywhere need not be UTF-8.
std::vector<std::uint8_t> encode(const LeftStream& stream, const std::array<bool, kDescriptors>& has) {
  return nlohmann::json::to_cbor({{"local_rank", stream.local_rank},
                                  {"whole_lines", stream.whole_lines},
                                  {"line_by_line", stream.line_by_line},
                                  {"prefix", stream.prefix},
                                  {"after_return", stream.after_return},
                                  {"unfinished", stream.unfinished},
                                  {"filter_words", stream.filter_words},
                                  {"to_stderr", stream.to_stderr},
                                  {"has", has}});
}

LeftStream decode(const std::vector<std::uint8_t>& message, std::vector<UniqueFd> descriptors) {
  const nlohmann::json fields = nlohmann::json::from_cbor(message);
  LeftStream stream;
  fields.at("local_rank").get_to(stream.local_rank);
  fields.at("whole_lines").get_to(stream.whole_lines);
  fields.at("line_by_line").get_to(stream.line_by_line);
  fields.at("prefix").get_to(stream.prefix);
  fields.at("after_return").get_to(stream.after_return);
  fields.at("unfinished").get_to(stream.unfinished);
  fields.at("filter_words").get_to(stream.filter_words);
  fields.at("to_stderr").get_to(stream.to_stderr);
  const auto has = fields.at("has").get<std::array<bool, kDescriptors>>();
  const std::array<UniqueFd*, kDescriptors> places = {&stream.from, &stream.console, &stream.file, &stream.filter_file};
  std::size_t next = 0;
  for (std::size_t i = 0; i < kDescriptors; ++i) {
    if (has.at(i)) { *places.at(i) = std::move(descriptors.at(next++)); }
  }
  return stream;
}

}  // namespace

int send_left_stream(int socket, const LeftStream& stream) {
  std::array<bool, kDescriptors> has{};
  std::vector<int> descriptors;
  const std::array<int, kDescriptors> all = {stream.from.get(), stream.console.get(), stream.file.get(),
                                             stream.filter_file.get()};
  for (std::size_t i = 0; i < kDescriptors; ++i) {
    has.at(i) = all.at(i) >= 0;
    if (has.at(i)) { descriptors.push_back(all.at(i)); }
  }
  std::vector<std::uint8_t> body = encode(stream, has);
  iovec part{body.data(), body.size()};
  ControlRoom room{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = room.bytes.data();
  message.msg_controllen = CMSG_SPACE(descriptors.size() * sizeof(int));
  cmsghdr* control = CMSG_FIRSTHDR(&message);
  control->cmsg_level = SOL_SOCKET;
  control->cmsg_type = SCM_RIGHTS;
  control->cmsg_len = CMSG_LEN(descriptors.size() * sizeof(int));
  std::memcpy(CMSG_DATA(control), descriptors.data(), descriptors.size() * sizeof(int));
  while (::sendmsg(socket, &message, MSG_NOSIGNAL) < 0) {
    if (errno != EINTR) { return errno; }
  }
  return 0;
}

LeftStream receive_left_stream(int socket) {
  std::vector<std::uint8_t> body(kLongestMessage);
  iovec part{body.data(), body.size()};
  ControlRoom room{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = room.bytes.data();
  message.msg_controllen = sizeof room.bytes;
  ssize_t n;
  do { n = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC); } while (n < 0 && errno == EINTR);
  std::vector<UniqueFd> descriptors;
  for (cmsghdr* control = CMSG_FIRSTHDR(&message); n > 0 && control; control = CMSG_NXTHDR(&message, control)) {
    if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS) { continue; }
    std::vector<int> numbers((control->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    std::memcpy(numbers.data(), CMSG_DATA(control), numbers.size() * sizeof(int));
    for (const int fd : numbers) { descriptors.emplace_back(fd); }
  }
  if (n <= 0) { throw Error(describe_errno("cannot take over", "a worker's stream", n < 0 ? errno : EPIPE)); }
  body.resize(static_cast<std::size_t>(n));
  try {
    return decode(body, std::move(descriptors));
  } catch (const std::exception& error) {
    throw Error(str_cat("a message that hands over a worker's stream is wrong: ", error.what()));
  }
}

}  // namespace mdl::launcher::output
