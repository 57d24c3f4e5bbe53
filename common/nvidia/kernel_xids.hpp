#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mdl::nvidia {

/// An Xid error, by which the driver tells of what has gone wrong on a GPU.
struct Xid {
  std::string pci;  ///< "0000:dc:00", in small letters
  std::int64_t number = 0;

  bool operator==(const Xid&) const = default;
};

/// That of a line of the kernel's log, "… NVRM: Xid (PCI:0000:dc:00): 79, pid=…"; nullopt for any other line (pure).
std::optional<Xid> parse_xid(std::string_view line);

/// Those that the kernel's log still has, mostly since the machine was started. nullopt where it may not be read, which
/// mostly takes root's rights.
std::optional<std::vector<Xid>> kernel_xids(const std::filesystem::path& log = "/dev/kmsg");

}  // namespace mdl::nvidia
