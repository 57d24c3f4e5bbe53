#include "worker/hub/part_file.hpp"

#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <catch2/catch.hpp>

#include "common/atomic_file.hpp"
#include "common/str_cat.hpp"
#include "tests/temp_dir.hpp"
#include "worker/hub/part_owner.hpp"

using namespace mdl;
using namespace mdl::worker::http;
using namespace mdl::worker::hub;
namespace fs = std::filesystem;

namespace {

/// A process of this machine that has ended.
PartOwner ended_process() {
  PartOwner owner = this_process();
  const pid_t child = ::fork();
  if (child == 0) { ::_exit(0); }
  ::waitpid(child, nullptr, 0);
  owner.pid = child;
  return owner;
}

fs::path leave_part(const fs::path& folder, const PartOwner& owner, const std::string& bytes, const std::string& record,
                    const std::string& random = "12345678") {
  const fs::path part = folder / str_cat("abc.", owner.text(), ".", random, ".incomplete");
  write_text_atomically(part, bytes);
  write_text_atomically(part.string() + ".ranges", record);
  return part;
}

std::size_t files_in(const fs::path& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

enum class Traced { killed, ended, forbidden };

/// Runs `work` in a process of its own, which is killed when it is about to enter or leave its system call number
/// `stop`.
template <typename Work>
Traced kill_at(int stop, const Work& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) { ::_exit(77); }
    ::raise(SIGSTOP);
    work();
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  for (int i = 0; i < stop && WIFSTOPPED(status); ++i) {
    ::ptrace(PTRACE_SYSCALL, child, nullptr, nullptr);
    ::waitpid(child, &status, 0);
  }
  if (WIFEXITED(status)) { return WEXITSTATUS(status) == 77 ? Traced::forbidden : Traced::ended; }
  ::kill(child, SIGKILL);
  ::waitpid(child, &status, 0);
  return Traced::killed;
}

}  // namespace

TEST_CASE("a part file grows at any place, and its record tells what is there") {
  const test::TempDir folder;
  PartFile part = PartFile::open({folder.path(), "abc"}, 10);
  CHECK(part.found().total() == 0);
  part.write(5, "fghij");
  part.note({5, 10});
  part.write(0, "abcde");
  part.note({0, 5});
  part.sync();
  CHECK(read_text(part.path()) == "abcdefghij");
  CHECK(read_text(part.path().string() + ".ranges") == "5 10\n0 5\n");
  part.begin_anew();
  CHECK(fs::file_size(part.path()) == 0);
  part.remove();
  CHECK(files_in(folder.path()) == 0);
}

TEST_CASE("what a process that has ended left is taken over, the one with most bytes") {
  const test::TempDir folder;
  const PartOwner gone = ended_process();
  leave_part(folder.path(), gone, "ab", "0 2\n", "00000001");
  leave_part(folder.path(), gone, "abcdef", "0 6\n", "00000002");
  leave_part(folder.path(), gone, "abc", "0 3\n", "00000003");
  const PartFile part = PartFile::open({folder.path(), "abc"}, 10);
  CHECK(part.found().total() == 6);
  CHECK(read_text(part.path()) == "abcdef");
  CHECK(files_in(folder.path()) == 2);  // the file and its record: the others are gone
}

TEST_CASE("a kill at any moment of the takeover costs none of its bytes") {
  const PartOwner gone = ended_process();
  int kills = 0;
  for (Traced traced = Traced::killed; traced == Traced::killed; ++kills) {
    const test::TempDir folder;
    leave_part(folder.path(), gone, "abcdef", "0 6\n6 1");  // a kill has torn the record's last line
    traced = kill_at(kills, [&] { PartFile::open({folder.path(), "abc"}, 10); });
    if (traced == Traced::forbidden) {
      WARN("not tested: this place forbids to trace a process");
      return;
    }
    INFO("killed at stop " << kills);
    const PartFile part = PartFile::open({folder.path(), "abc"}, 10);
    REQUIRE(part.found().total() == 6);
    REQUIRE(read_text(part.path()) == "abcdef");
    part.note({6, 10});
    REQUIRE(parse_record(read_text(part.path().string() + ".ranges"), 10).total() == 10);
    remove_leftovers(folder.path(), {"abc"});
    REQUIRE(files_in(folder.path()) == 2);
  }
  CHECK(kills > 20);
}

TEST_CASE("what somebody else has put in a part file's place is left alone") {
  const test::TempDir folder;
  const PartOwner gone = ended_process();
  const fs::path outside = folder.path() / "outside", parts = folder.path() / "parts";
  fs::create_directory(parts);
  write_text_atomically(outside, "precious");
  const auto name = [&](const char* random) {
    return parts / str_cat("abc.", gone.text(), ".", random, ".incomplete");
  };
  fs::create_symlink(outside, name("00000001"));
  fs::create_symlink(outside, name("00000001").string() + ".ranges");
  fs::create_hard_link(outside, name("00000002"));
  fs::create_directory(name("00000003"));
  ::mkfifo(name("00000004").c_str(), 0600);
  const fs::path real = leave_part(parts, gone, "abcdef", "0 6\n", "00000005");
  fs::remove(real.string() + ".ranges");
  ::mkfifo((real.string() + ".ranges").c_str(), 0600);
  PartFile part = PartFile::open({parts, "abc"}, 10);
  CHECK(part.found().total() == 0);
  CHECK(fs::symlink_status(part.path()).type() == fs::file_type::regular);
  part.write(0, "0123456789");
  part.note({0, 10});
  CHECK(read_text(outside) == "precious");
  CHECK(read_text(part.path()) == "0123456789");
  CHECK(read_text(part.path().string() + ".ranges") == "0 10\n");
}

TEST_CASE("of a file that is whole nothing is left over but what processes that live have") {
  const test::TempDir folder;
  const PartOwner gone = ended_process();
  const fs::path left = leave_part(folder.path(), gone, "abcdef", "0 6\n", "00000001");
  fs::remove(leave_part(folder.path(), gone, "abc", "0 3\n", "00000002"));  // its record stays
  const fs::path lives = leave_part(folder.path(), this_process(), "abcdef", "0 6\n");
  remove_leftovers(folder.path(), {"abcd", "ab"});  // other files
  CHECK(files_in(folder.path()) == 5);
  remove_leftovers(folder.path(), {"abc"});
  CHECK(files_in(folder.path()) == 2);
  CHECK(fs::exists(lives));
  remove_leftovers(folder.path() / "none", {"abc"});
}

TEST_CASE("what a process that lives, or one elsewhere, is writing stays as it is") {
  const test::TempDir folder;
  PartOwner elsewhere = ended_process();
  elsewhere.pid_namespace = 1;
  const fs::path own = leave_part(folder.path(), this_process(), "abcdef", "0 6\n");
  const fs::path other = leave_part(folder.path(), elsewhere, "abcdef", "0 6\n");
  const PartFile part = PartFile::open({folder.path(), "abc"}, 10);
  CHECK(part.found().total() == 0);
  CHECK(part.path() != own);
  CHECK(read_text(own) == "abcdef");
  CHECK(read_text(other) == "abcdef");
  CHECK(foreign_parts(folder.path()).count == 1);
  PartOwner blind = ended_process();  // as one without /proc writes its name
  blind.boot = "0";
  blind.pid_namespace = blind.start_time = 0;
  const fs::path unknown = leave_part(folder.path(), blind, "abcdef", "0 6\n");
  CHECK(PartFile::open({folder.path(), "abc"}, 10).found().total() == 0);
  CHECK(read_text(unknown) == "abcdef");
  CHECK(foreign_parts(folder.path()).count == 2);
}

TEST_CASE("a part of another content, or one that is none of ours, is left alone") {
  const test::TempDir folder;
  const PartOwner gone = ended_process();
  write_text_atomically(folder.path() / str_cat("abcd.", gone.text(), ".12345678.incomplete"), "x");
  write_text_atomically(folder.path() / "abc.12345678.incomplete", "x");  // huggingface_hub's
  write_text_atomically(folder.path() / "abc", "x");
  const PartFile part = PartFile::open({folder.path(), "abc"}, 10);
  CHECK(part.found().total() == 0);
  CHECK(files_in(folder.path()) == 3 + 2);
  CHECK(foreign_parts(folder.path()).count == 0);
}

TEST_CASE("a record that claims more than the file has does not count") {
  const test::TempDir folder;
  const PartOwner gone = ended_process();
  leave_part(folder.path(), gone, "abc", "0 6\n");
  CHECK(PartFile::open({folder.path(), "abc"}, 10).found().total() == 0);
}

TEST_CASE("a file that is longer than it is to be begins anew") {
  const test::TempDir folder;
  leave_part(folder.path(), ended_process(), "abcdefghijkl", "0 6\n");
  const PartFile part = PartFile::open({folder.path(), "abc"}, 10);
  CHECK(part.found().total() == 0);
  CHECK(fs::file_size(part.path()) == 0);
}
