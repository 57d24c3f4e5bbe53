#include "worker/hub/digest.hpp"

#include <fcntl.h>
#include <mbedtls/md.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <new>
#include <vector>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "common/unique_fd.hpp"

namespace mdl::worker::hub {

bool is_digest(Digest::Kind kind, std::string_view hex) {
  const std::size_t length = kind == Digest::Kind::sha256 ? 64 : kind == Digest::Kind::git_blob ? 40 : 0;
  return hex.size() == length && std::ranges::all_of(hex, [](char letter) {
           return (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'f');
         });
}

struct Hasher::State {
  State() { ::mbedtls_md_init(&context); }
  ~State() { ::mbedtls_md_free(&context); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  mbedtls_md_context_t context{};
  std::size_t hash_size = 0;
  bool failed = false;
};

Hasher::Hasher(Digest::Kind kind, std::int64_t size) {
  if (kind == Digest::Kind::none) { return; }
  state_ = std::make_unique<State>();
  const auto* const algorithm =
      ::mbedtls_md_info_from_type(kind == Digest::Kind::sha256 ? MBEDTLS_MD_SHA256 : MBEDTLS_MD_SHA1);
  state_->hash_size = ::mbedtls_md_get_size(algorithm);
  if (::mbedtls_md_setup(&state_->context, algorithm, 0) != 0 || ::mbedtls_md_starts(&state_->context) != 0) {
    throw std::bad_alloc();  // all else is there
  }
  if (kind == Digest::Kind::git_blob) {
    const std::string head = str_cat("blob ", size);
    add(std::string_view(head.c_str(), head.size() + 1));
  }
}

Hasher::~Hasher() = default;

void Hasher::add(std::string_view bytes) {
  if (!state_) { return; }
  const auto* const data = reinterpret_cast<const unsigned char*>(bytes.data());
  state_->failed = ::mbedtls_md_update(&state_->context, data, bytes.size()) != 0 || state_->failed;
}

std::string Hasher::hex() {
  if (!state_) { return {}; }
  std::array<unsigned char, MBEDTLS_MD_MAX_SIZE> hash{};
  if (::mbedtls_md_finish(&state_->context, hash.data()) != 0 || state_->failed) { throw Error("cannot hash"); }
  std::string text;
  for (std::size_t i = 0; i < state_->hash_size; ++i) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    text += {kDigits[hash[i] >> 4], kDigits[hash[i] & 15]};
  }
  return text;
}

std::string digest_of_file(const std::filesystem::path& file, Digest::Kind kind) {
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) { throw Error(describe_errno("open", file.string(), errno)); }
  const off_t size = ::lseek(fd.get(), 0, SEEK_END);
  ::lseek(fd.get(), 0, SEEK_SET);
  ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  Hasher hasher(kind, size);
  std::vector<char> buffer(1 << 20);
  while (true) {
    const ssize_t count = ::read(fd.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) { continue; }
    if (count < 0) { throw Error(describe_errno("read", file.string(), errno)); }
    if (count == 0) { return hasher.hex(); }
    hasher.add({buffer.data(), static_cast<std::size_t>(count)});
  }
}

std::string sha256_hex(std::string_view text) {
  Hasher hasher(Digest::Kind::sha256, 0);
  hasher.add(text);
  return hasher.hex();
}

}  // namespace mdl::worker::hub
