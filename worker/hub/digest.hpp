#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace mdl::worker::hub {

/// What a hub says that a file's content hashes to, in lower-case hex.
struct Digest {
  enum class Kind {
    sha256,    ///< of the content: files in LFS, all of ModelScope's
    git_blob,  ///< sha1 of "blob SIZE\0" and the content: small files in git
    none       ///< the hub says nothing: only the size can be checked
  };
  Kind kind = Kind::none;
  std::string hex;

  bool operator==(const Digest&) const = default;
};

/// Whether `hex` has the form that `kind` asks for.
bool is_digest(Digest::Kind kind, std::string_view hex);

/// Hashes content piece by piece.
class Hasher {
 public:
  /// `size`: of the whole content, which git's hash begins with.
  Hasher(Digest::Kind kind, std::int64_t size);
  ~Hasher();
  Hasher(const Hasher&) = delete;
  Hasher& operator=(const Hasher&) = delete;

  void add(std::string_view bytes);
  std::string hex();  ///< of all that was added; once. Empty for Kind::none.

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// What a file's content hashes to. Throws Error naming the file when it cannot be read.
std::string digest_of_file(const std::filesystem::path& file, Digest::Kind kind);

/// sha256 of a short text.
std::string sha256_hex(std::string_view text);

}  // namespace mdl::worker::hub
