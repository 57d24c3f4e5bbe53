#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

namespace mdl::rendezvous::access {

/// What the nodes of a job know and strangers do not. Kept in memory of its own that no core file gets and no child
/// process has, and wiped at the end. Cannot be copied or printed; all that anybody gets of it are HMACs.
class StoreSecret {
 public:
  /// Shorter ones could be guessed from a recorded handshake.
  static constexpr std::size_t kFewestBytes = 16;
  static constexpr std::size_t kMostBytes = 4096;
  /// HMAC-SHA256.
  using Mac = std::array<std::uint8_t, 32>;

  /// Of kFewestBytes to kMostBytes bytes; std::invalid_argument otherwise.
  explicit StoreSecret(std::string_view bytes);
  ~StoreSecret();
  StoreSecret(const StoreSecret&) = delete;
  StoreSecret& operator=(const StoreSecret&) = delete;

  /// HMAC-SHA256 of the parts one after the other. The caller sees to it that no two lists of parts read the same.
  Mac hmac(std::initializer_list<std::string_view> parts) const;

 private:
  void* memory_ = nullptr;
  std::size_t size_ = 0;
};

/// Whether both are the same, in a time that does not depend on where they differ.
bool same_mac(const StoreSecret::Mac& a, const StoreSecret::Mac& b);

/// Reads the secret of --rdzv-conf secret_file: all bytes of the file but one line end at its end. Throws UsageError
/// that names the file, not its contents, when it cannot be read, is no regular file, is open to other users than its
/// owner (as ssh does with keys) or belongs to somebody else than this user or root, or is too short or too long.
std::shared_ptr<const StoreSecret> read_store_secret(const std::string& path);

}  // namespace mdl::rendezvous::access
