#include "worker/hub/part_owner.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cctype>
#include <cerrno>
#include <csignal>

#include "common/host.hpp"
#include "common/parse_number.hpp"
#include "common/str_cat.hpp"
#include "common/trimmed.hpp"
#include "worker/hub/digest.hpp"
#include "worker/hub/hub_settings.hpp"

namespace mdl::worker::hub {
namespace {

std::string first_line(const char* file) {
  // /proc files say that they are regular and have no bytes; read_text() reads them to their end
  return trimmed(read_file_if_there(file).value_or(""));
}

std::string short_hash(const std::string& text) {
  return sha256_hex(text).substr(0, 8);
}

/// Whether /proc told who it is. Else all that have no /proc look alike.
bool is_known(const PartOwner& owner) {
  return owner.boot != "0" && owner.pid_namespace != 0 && owner.start_time != 0;
}

bool is_word(std::string_view text) {
  for (const unsigned char letter : text) {
    if (std::isalnum(letter) == 0) { return false; }
  }
  return !text.empty();
}

}  // namespace

std::string PartOwner::text() const {
  return str_cat(host, "-", machine, "-", boot, "-", pid_namespace, "-", pid, "-", start_time);
}

std::optional<PartOwner> parse_part_owner(std::string_view text) {
  std::array<std::string_view, 6> fields;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const auto dash = i + 1 < fields.size() ? text.find('-') : text.size();
    if (dash == std::string_view::npos) { return std::nullopt; }
    fields[i] = text.substr(0, dash);
    if (!is_word(fields[i])) { return std::nullopt; }
    text.remove_prefix(std::min(dash + 1, text.size()));
  }
  const auto name_space = parse_digits<std::uint64_t>(fields[3]);
  const auto pid = parse_digits<pid_t>(fields[4]);
  const auto start = parse_digits<std::uint64_t>(fields[5]);
  if (!name_space || !pid || !start) { return std::nullopt; }
  return PartOwner{std::string(fields[0]), std::string(fields[1]), std::string(fields[2]), *name_space, *pid, *start};
}

PartOwner this_process() {
  PartOwner owner;
  const std::string name = host_name();
  for (const unsigned char letter : name.substr(0, 24)) {
    if (std::isalnum(letter) != 0) { owner.host += static_cast<char>(letter); }
  }
  if (owner.host.empty()) { owner.host = "host"; }
  const std::string machine = first_line("/etc/machine-id");
  owner.machine = machine.empty() ? "0" : short_hash(str_cat(machine, " ", name));
  const std::string boot = first_line("/proc/sys/kernel/random/boot_id");
  owner.boot = boot.empty() ? "0" : short_hash(boot);
  struct stat status{};
  if (::stat("/proc/self/ns/pid", &status) == 0) { owner.pid_namespace = status.st_ino; }
  owner.pid = ::getpid();
  if (const auto process = process_stat(owner.pid)) { owner.start_time = process->start_time; }
  return owner;
}

bool process_exists(pid_t pid) {
  return ::kill(pid, 0) == 0 || errno != ESRCH;
}

bool has_ended(const PartOwner& owner, const PartOwner& here,
               const std::function<std::optional<ProcessStat>(pid_t)>& look, const std::function<bool(pid_t)>& exists) {
  if (!is_known(owner) || !is_known(here)) { return false; }
  if (owner.boot != here.boot) { return owner.machine == here.machine && owner.machine != "0"; }
  if (owner.pid_namespace != here.pid_namespace || owner.machine != here.machine) { return false; }
  const auto process = look(owner.pid);
  if (!process) { return !exists(owner.pid); }
  if (process->start_time != owner.start_time || process->state == 'X') { return true; }
  return process->state == 'Z' && process->threads <= 1;  // a thread that hangs in a write may go on after the first
}

}  // namespace mdl::worker::hub
