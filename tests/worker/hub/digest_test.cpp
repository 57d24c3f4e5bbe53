#include "worker/hub/digest.hpp"

#include <catch2/catch.hpp>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "tests/temp_dir.hpp"

using namespace mdl;
using namespace mdl::worker::hub;

TEST_CASE("hashes are sha256's and git's") {
  const test::TempDir folder;
  const auto file = folder.path() / "file";
  write_text_atomically(file, "hello\n");
  // sha256sum and git hash-object say so
  CHECK(digest_of_file(file, Digest::Kind::sha256) ==
        "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
  CHECK(digest_of_file(file, Digest::Kind::git_blob) == "ce013625030ba8dba906f756967f9e9ca394464a");
  CHECK(digest_of_file(file, Digest::Kind::none).empty());
  CHECK(sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK_THROWS_AS(digest_of_file(folder.path() / "none", Digest::Kind::sha256), Error);
}

TEST_CASE("a hash has the length of its kind, in small hex digits") {
  CHECK(is_digest(Digest::Kind::sha256, std::string(64, 'f')));
  CHECK(is_digest(Digest::Kind::git_blob, std::string(40, '0')));
  CHECK(is_digest(Digest::Kind::none, ""));
  CHECK_FALSE(is_digest(Digest::Kind::sha256, std::string(40, 'f')));
  CHECK_FALSE(is_digest(Digest::Kind::git_blob, std::string(40, 'F')));
  CHECK_FALSE(is_digest(Digest::Kind::git_blob, "../../../../../../../../../../../etc/pwd"));
}
