#include "rendezvous/access/store_secret.hpp"

#include <fcntl.h>
#include <mbedtls/md.h>
#include <mbedtls/platform_util.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <stdexcept>

extern "C" {
#include <mbedtls/constant_time.h>  // 2.28 forgets to say so itself
}

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "common/unique_fd.hpp"

namespace mdl::rendezvous::access {
namespace {

/// A whole number of pages on every architecture, more than the longest secret.
constexpr std::size_t kSecretPages = std::size_t{64} * 1024;

const unsigned char* as_bytes(const void* data) {
  return static_cast<const unsigned char*>(data);
}

/// A computation of mbedTLS, which wipes what it has learnt of the key at its end.
class Hmac {
 public:
  Hmac() { ::mbedtls_md_init(&context_); }
  ~Hmac() { ::mbedtls_md_free(&context_); }
  Hmac(const Hmac&) = delete;
  Hmac& operator=(const Hmac&) = delete;
  mbedtls_md_context_t* get() { return &context_; }

 private:
  mbedtls_md_context_t context_{};
};

/// Bytes on the stack that are wiped when they are no longer needed.
template <std::size_t Size>
struct Wiped {
  std::array<char, Size> bytes{};
  Wiped() = default;
  Wiped(const Wiped&) = delete;
  Wiped& operator=(const Wiped&) = delete;
  ~Wiped() { ::mbedtls_platform_zeroize(bytes.data(), bytes.size()); }
};

[[noreturn]] void refuse_file(const std::string& path, const std::string& problem, const std::string& advice) {
  throw UsageError(str_cat("--rdzv-conf secret_file=", path, ": ", problem), advice);
}

constexpr const char* kHowToMake =
    "Make one, the same for all nodes, with: (umask 077; head -c 32 /dev/urandom | base64 > FILE).";

}  // namespace

StoreSecret::StoreSecret(std::string_view bytes) : size_(bytes.size()) {
  if (size_ < kFewestBytes || size_ > kMostBytes) { throw std::invalid_argument("a secret of the wrong length"); }
  memory_ = ::mmap(nullptr, kSecretPages, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory_ == MAP_FAILED) { throw std::bad_alloc(); }
  // Each of these is a precaution: where the kernel does not know one, the secret is as safe as the rest of the memory.
  (void)::madvise(memory_, kSecretPages, MADV_DONTDUMP);
  (void)::madvise(memory_, kSecretPages, MADV_WIPEONFORK);
  std::memcpy(memory_, bytes.data(), size_);
}

StoreSecret::~StoreSecret() {
  ::mbedtls_platform_zeroize(memory_, size_);
  ::munmap(memory_, kSecretPages);
}

StoreSecret::Mac StoreSecret::hmac(std::initializer_list<std::string_view> parts) const {
  Hmac hmac;
  Mac mac{};
  bool failed = ::mbedtls_md_setup(hmac.get(), ::mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), 1) != 0 ||
                ::mbedtls_md_hmac_starts(hmac.get(), as_bytes(memory_), size_) != 0;
  for (const std::string_view part : parts) {
    failed = failed || ::mbedtls_md_hmac_update(hmac.get(), as_bytes(part.data()), part.size()) != 0;
  }
  failed = failed || ::mbedtls_md_hmac_finish(hmac.get(), mac.data()) != 0;
  // Never seen, and never to be taken for a MAC.
  if (failed) { throw std::runtime_error("HMAC-SHA256 could not be computed"); }
  return mac;
}

bool same_mac(const StoreSecret::Mac& a, const StoreSecret::Mac& b) {
  return ::mbedtls_ct_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::shared_ptr<const StoreSecret> read_store_secret(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file) { refuse_file(path, std::strerror(errno), str_cat("Check the path. ", kHowToMake)); }
  struct stat info{};
  if (::fstat(file.get(), &info) != 0) { refuse_file(path, std::strerror(errno), ""); }
  if (!S_ISREG(info.st_mode)) { refuse_file(path, "is not a regular file", kHowToMake); }
  if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    refuse_file(path, "other users than its owner may read or change it",
                str_cat("Take that from them with: chmod 600 ", path));
  }
  if (info.st_uid != ::geteuid() && info.st_uid != 0) {
    refuse_file(path, str_cat("belongs to another user (id ", info.st_uid, ")"), "Use a file of your own.");
  }
  Wiped<StoreSecret::kMostBytes + 3> text;  // one byte more than a secret and a line end can have
  std::size_t size = 0;
  while (size < text.bytes.size()) {
    const ssize_t n = ::read(file.get(), text.bytes.data() + size, text.bytes.size() - size);
    if (n < 0 && errno == EINTR) { continue; }
    if (n < 0) { refuse_file(path, std::strerror(errno), ""); }
    if (n == 0) { break; }
    size += static_cast<std::size_t>(n);
  }
  if (size > 0 && text.bytes[size - 1] == '\n') { --size; }
  if (size > 0 && text.bytes[size - 1] == '\r') { --size; }
  if (size < StoreSecret::kFewestBytes) {
    refuse_file(path,
                size == 0 ? std::string("is empty")
                          : str_cat("has only ", size, " bytes; a secret has at least ", StoreSecret::kFewestBytes),
                kHowToMake);
  }
  if (size > StoreSecret::kMostBytes) {
    refuse_file(path, str_cat("has more than ", StoreSecret::kMostBytes, " bytes"), kHowToMake);
  }
  return std::make_shared<const StoreSecret>(std::string_view(text.bytes.data(), size));
}

}  // namespace mdl::rendezvous::access
