// What strangers send to a port of the launcher that speaks HTTP: the requests of one connection, in parts.
#include "launcher/http/host_names.hpp"
#include "launcher/http/request_reader.hpp"
#include "tests/fuzz/fuzz_input.hpp"

namespace {

using namespace mdl::launcher::http;
using mdl::fuzz::claim;

constexpr std::size_t kLargestPart = 2048;  // as a connection reads

const HostNames& known_names() {
  static const HostNames names({"node1"}, [] { return std::vector<std::string>{"10.0.0.7", "fe80::7%eth0"}; });
  return names;
}

void claim_sound(const Request& request) {
  claim(!request.method.empty() && request.path.starts_with('/'), "a request has a method and a path");
  for (const std::string* text : {&request.method, &request.path, &request.query, &request.host}) {
    claim(text->size() <= RequestReader::kLargestHead, "nothing in a request is larger than its head");
    for (const char c : *text) { claim(c != '\r' && c != '\n' && c != '\0', "nothing in a request ends its line"); }
  }
  claim(request.path.find('?') == std::string::npos, "a path has no query");
  const bool known = known_names().allow(request.host);
  claim(!known || request.host.find_first_of("/@,; \t") == std::string::npos, "a known host is a name or an address");
}

/// The paths of the requests, and how the connection ends.
std::string answer_all(std::string_view bytes, std::size_t part) {
  RequestReader reader;
  std::string told;
  while (!bytes.empty()) {
    const std::string_view some = bytes.substr(0, part);
    bytes.remove_prefix(some.size());
    reader.take(some);
    while (const auto read = reader.next()) {
      if (!*read) {
        const std::string head = head_of(read->error(), false);
        claim(head.ends_with("\r\n\r\n") && head.starts_with("HTTP/1.1 4"), "a refusal is an answer");
        return told + std::to_string(read->error().status);
      }
      claim_sound(**read);
      told += (*read)->path + "\n";
    }
  }
  return told;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) { return 0; }
  const std::string_view bytes = mdl::fuzz::text_of(data + 1, size - 1);
  known_names().allow(bytes);
  const std::string whole = answer_all(bytes, kLargestPart);
  const std::string parts = answer_all(bytes, std::size_t{1} + data[0]);
  // A head that is too large is refused as soon as that is seen, which may be before or after its end has come.
  claim(whole == parts, "it does not matter in which parts a request comes");
  return 0;
}
