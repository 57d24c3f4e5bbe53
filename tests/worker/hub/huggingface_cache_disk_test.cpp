#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <optional>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "tests/plain_user.hpp"
#include "tests/temp_dir.hpp"
#include "tests/worker/hub/made_repository.hpp"
#include "worker/hub/cache_files.hpp"
#include "worker/hub/huggingface_cache.hpp"

using namespace mdl;
using namespace mdl::worker::hub;
namespace fs = std::filesystem;
using test::kName, test::kSha, test::Made, test::put_file;

namespace {

/// The system calls that make links, as many of them as this machine has.
std::vector<unsigned> calls_for_links(bool hard_ones_too) {
  std::vector<unsigned> calls = {__NR_symlinkat};
  if (hard_ones_too) { calls.push_back(__NR_linkat); }
#ifdef __NR_symlink
  calls.push_back(__NR_symlink);
#endif
  return calls;
}

/// From here on the kernel answers these calls of this process with an error.
bool forbid(const std::vector<unsigned>& calls, int error) {
  std::vector<sock_filter> filter = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
  for (const unsigned call : calls) {
    filter.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1));
    filter.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<unsigned>(error)));
  }
  filter.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog program{.len = static_cast<unsigned short>(filter.size()), .filter = filter.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}

enum class Published { yes, error, cannot_forbid };

/// Fills a cache on a disk that answers links with `error`, in a process of its own.
Published publish_without_links(const HuggingFaceCache& cache, const Made& made, bool hard_ones_too, int error) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (!forbid(calls_for_links(hard_ones_too), error)) { ::_exit(2); }
    try {
      made.put_into(cache);
    } catch (const Error&) { ::_exit(1); }
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  REQUIRE(WIFEXITED(status));
  REQUIRE(WEXITSTATUS(status) <= 2);
  const auto published = static_cast<Published>(WEXITSTATUS(status));
  if (published == Published::cannot_forbid) { WARN("not tested: this place forbids filters of system calls"); }
  return published;
}

/// A folder on another disk than `path`, where this machine has one.
std::optional<fs::path> another_disk(const fs::path& path) {
  struct stat here{}, there{};
  REQUIRE(::stat(path.c_str(), &here) == 0);
  for (const char* folder : {"/dev/shm", "/tmp", "/var/tmp"}) {
    if (::stat(folder, &there) == 0 && there.st_dev != here.st_dev && ::access(folder, W_OK | X_OK) == 0) {
      return folder;
    }
  }
  WARN("not tested: there is no second disk to write to");
  return std::nullopt;
}

}  // namespace

TEST_CASE("on a disk without symbolic links a snapshot's files are the blobs under a second name") {
  const test::TempDir folder;
  const HuggingFaceCache cache(folder.path(), true);
  const Made made({"config.json", "tokenizer.json", "a/b.json", "model.safetensors"});
  if (publish_without_links(cache, made, false, EPERM) == Published::cannot_forbid) { return; }
  CHECK(cache.find(kName, Parts::all).whole());
  const fs::path model = folder.path() / "models--org--name";
  for (const ListedFile& file : made.listing.files) {
    const fs::path name = model / "snapshots" / kSha / file.path;
    CHECK(fs::symlink_status(name).type() == fs::file_type::regular);
    CHECK(fs::equivalent(name, model / "blobs" / file.digest.hex));
    CHECK(read_text(name) == file.path);
  }
}

TEST_CASE("on a disk without any links a file moves into its snapshot, and one with a twin is copied") {
  for (const int error : {EPERM, EOPNOTSUPP, ENOSYS, EINVAL}) {
    const test::TempDir folder;
    const HuggingFaceCache cache(folder.path(), true);
    Made made({"config.json", "tokenizer.json", "model.safetensors"});
    ListedFile twin = made.listing.files[1];
    twin.path = "a/b.json";
    made.listing.files.push_back(twin);
    const Published published = publish_without_links(cache, made, true, error);
    if (published == Published::cannot_forbid) { return; }
    CHECK(published == Published::yes);
    CHECK(cache.find(kName, Parts::all).whole());
    const fs::path model = folder.path() / "models--org--name";
    const fs::path snapshot = model / "snapshots" / kSha;
    CHECK(read_text(snapshot / "model.safetensors") == "model.safetensors");
    CHECK(read_text(snapshot / "tokenizer.json") == "tokenizer.json");
    CHECK(read_text(snapshot / "a/b.json") == "tokenizer.json");
    CHECK_FALSE(fs::exists(model / "blobs" / made.listing.files[2].digest.hex));
    CHECK(fs::exists(model / "blobs" / twin.digest.hex));
    for (const ListedFile& file : made.listing.files) {
      CHECK(cache.find_file(kName, made.listing, file));  // nothing is fetched again
    }
    CHECK(cache.publish(kName, made.listing, made.listing.files) == snapshot);
    for (const auto& entry : fs::recursive_directory_iterator(snapshot)) { CHECK(entry.path().extension() != ".tmp"); }
  }
}

TEST_CASE("a copy that fails is an error with both names, and leaves nothing") {
  const test::TempDir folder;
  put_file(folder.path() / "blob", "x");
  put_file(folder.path() / "a/name", "old");
  copy_whole(folder.path() / "blob", folder.path() / "a/name");
  CHECK(read_text(folder.path() / "a/name") == "x");
  using Catch::Contains;
  CHECK_THROWS_WITH(copy_whole(folder.path() / "none", folder.path() / "a/name"),
                    Contains("none to ") && Contains("a/name"));
  const rlimit small{.rlim_cur = 4096, .rlim_max = RLIM_INFINITY};
  put_file(folder.path() / "large", std::string(8192, 'x'));
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    ::setrlimit(RLIMIT_FSIZE, &small);
    try {
      copy_whole(folder.path() / "large", folder.path() / "a/name");
    } catch (const Error&) { ::_exit(3); }
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  CHECK(WEXITSTATUS(status) == 3);
  CHECK(std::distance(fs::directory_iterator(folder.path() / "a"), {}) == 1);
  CHECK(read_text(folder.path() / "a/name") == "x");
}

TEST_CASE("a link that fails for want of room is an error, and no copy") {
  const test::TempDir folder;
  const HuggingFaceCache cache(folder.path(), true);
  const Published published = publish_without_links(cache, Made({"config.json", "tokenizer.json"}), false, ENOSPC);
  if (published == Published::cannot_forbid) { return; }
  CHECK(published == Published::error);
  CHECK_FALSE(cache.find(kName, Parts::without_weights).whole());
}

TEST_CASE("a cache whose CACHEDIR.TAG cannot be written works without one") {
  const test::TempDir folder;
  const fs::path root = folder.path() / "hub";
  const fs::path model = root / "models--org--name";
  fs::create_directories(model);
  const HuggingFaceCache cache(root, true);
  {
    const test::PlainUser user({folder.path(), root, model});
    fs::permissions(root, fs::perms::owner_read | fs::perms::owner_exec);
    CHECK_THROWS_AS(put_file(root / "CACHEDIR.TAG"), Error);
    Made({"config.json", "tokenizer.json"}).put_into(cache);
    CHECK(cache.find(kName, Parts::without_weights).whole());
    CHECK(std::distance(fs::directory_iterator(root), {}) == 1);  // no tag, and no half of one
    fs::permissions(root, fs::perms::owner_all);
  }
}

TEST_CASE("without links a blob that is a link is followed, also to another disk") {
  const test::TempDir folder;
  std::vector<fs::path> disks = {folder.path()};
  if (const auto other = another_disk(folder.path())) { disks.push_back(*other); }
  for (const fs::path& disk : disks) {
    const test::TempDir elsewhere(disk);
    fs::remove_all(folder.path() / "hub");
    const HuggingFaceCache cache(folder.path() / "hub", false);
    const Made made({"config.json", "a/other.json"});
    const fs::path snapshot = made.put_into(cache);
    const fs::path blobs = folder.path() / "hub/models--org--name/blobs";
    for (const ListedFile& file : made.listing.files) {  // as huggingface_hub shares blobs between repositories
      put_file(elsewhere.path() / file.digest.hex, file.path);
      fs::remove(blobs / file.digest.hex);
      fs::create_symlink(elsewhere.path() / file.digest.hex, blobs / file.digest.hex);
    }
    fs::remove_all(snapshot);
    cache.publish(kName, made.listing, made.listing.files);
    for (const char* name : {"config.json", "a/other.json"}) {
      CHECK_FALSE(fs::is_symlink(snapshot / name));
      CHECK(read_text(snapshot / name) == name);
    }
    for (const ListedFile& file : made.listing.files) { CHECK(fs::is_symlink(blobs / file.digest.hex)); }
  }
}
