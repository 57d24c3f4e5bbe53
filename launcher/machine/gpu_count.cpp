#include "launcher/machine/gpu_count.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <limits>
#include <numeric>

#include "common/error.hpp"
#include "common/nearest_name.hpp"
#include "common/nvidia/nvml.hpp"
#include "common/parse_number.hpp"
#include "common/str_cat.hpp"
#include "launcher/machine/cpu_topology.hpp"

namespace mdl::launcher::machine {
namespace {

std::vector<std::string> split_at_commas(const std::string& text) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0;;) {
    const std::size_t comma = text.find(',', begin);
    parts.push_back(text.substr(begin, comma - begin));
    if (comma == std::string::npos) { return parts; }
    begin = comma + 1;
  }
}

/// The number that `text` begins with (CUDA reads "1gpu" as 1); -1 where it begins with none.
int leading_number(std::string text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  text.erase(0, std::min(begin, text.size()));
  if (!text.empty() && text[0] == '+') { text.erase(0, 1); }
  int number = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() ? number : -1;
}

std::vector<std::size_t> select_indices(const std::vector<std::string>& items, int available) {
  std::vector<std::size_t> seen;
  std::optional<std::size_t> first_absent;
  for (const std::string& item : items) {
    const int index = leading_number(item);
    if (index < 0) { break; }
    const auto position = static_cast<std::size_t>(index);
    if (std::find(seen.begin(), seen.end(), position) != seen.end()) { return {}; }
    if (index >= available && !first_absent) { first_absent = seen.size(); }
    seen.push_back(position);
  }
  seen.resize(first_absent.value_or(seen.size()));
  return seen;
}

/// Positions of the GPUs that UUIDs name; where the driver's UUIDs are not known, only the number of them is right.
std::vector<std::size_t> select_uuids(const std::vector<std::string>& items, const GpuInventory& gpus) {
  std::vector<std::string> named;
  for (const std::string& item : items) {
    if (std::find(named.begin(), named.end(), item) != named.end()) { return {}; }
    if (item.rfind("GPU-", 0) != 0) { break; }
    named.push_back(item);
  }
  if (!gpus.uuids) { return std::vector<std::size_t>(std::min(named.size(), static_cast<std::size_t>(gpus.count))); }
  std::vector<std::size_t> found;
  for (const std::string& name : named) {
    std::vector<std::size_t> matches;
    for (std::size_t i = 0; i < gpus.uuids->size(); ++i) {
      if ((*gpus.uuids)[i].rfind(name, 0) == 0) { matches.push_back(i); }
    }
    if (matches.size() != 1) { break; }
    if (std::find(found.begin(), found.end(), matches[0]) != found.end()) { return {}; }
    found.push_back(matches[0]);
  }
  return found;
}

std::vector<std::size_t> selected(const std::string& visible, const GpuInventory& gpus) {
  const std::vector<std::string> items = split_at_commas(visible);
  return visible.rfind("GPU-", 0) == 0 ? select_uuids(items, gpus) : select_indices(items, gpus.count);
}

}  // namespace

int visible_gpus(const std::optional<std::string>& visible, const GpuInventory& gpus) {
  if (!visible) { return gpus.count; }
  if (visible->rfind("MIG-", 0) == 0) { return std::min(1, gpus.count); }
  return static_cast<int>(selected(*visible, gpus).size());
}

std::optional<std::vector<std::size_t>> visible_positions(const std::optional<std::string>& visible,
                                                          const GpuInventory& gpus) {
  if (!visible) {
    std::vector<std::size_t> all(static_cast<std::size_t>(gpus.count));
    std::iota(all.begin(), all.end(), std::size_t{0});
    return all;
  }
  if (visible->rfind("MIG-", 0) == 0 || (visible->rfind("GPU-", 0) == 0 && !gpus.uuids)) { return std::nullopt; }
  return selected(*visible, gpus);
}

GpuInventory find_gpus() {
  const nvidia::Nvml nvml;
  if (const auto count = nvml.gpu_count()) {
    return {static_cast<int>(*count), nvml.uuids(*count), "NVML", nvml.pci_addresses(*count)};
  }
  GpuInventory gpus{0, std::nullopt, "/proc/driver/nvidia/gpus", std::vector<std::string>{}};
  std::error_code error;
  for (std::filesystem::directory_iterator entry("/proc/driver/nvidia/gpus", error), end; !error && entry != end;
       entry.increment(error)) {
    ++gpus.count;
    gpus.pci_addresses->push_back(entry->path().filename());  // the folders are named by them
  }
  std::sort(gpus.pci_addresses->begin(), gpus.pci_addresses->end());
  return gpus;
}

int count_workers(const std::string& nproc_per_node, const std::optional<std::string>& cuda_visible_devices) {
  if (nproc_per_node == "cpu") { return static_cast<int>(usable_cpus().size()); }
  if (nproc_per_node == "gpu" || nproc_per_node == "auto") {
    const GpuInventory gpus = find_gpus();
    const int count = visible_gpus(cuda_visible_devices, gpus);
    if (count > 0) { return count; }
    if (nproc_per_node == "auto") { return static_cast<int>(usable_cpus().size()); }
    if (gpus.count > 0) {
      throw Error(str_cat("--nproc-per-node gpu: this machine has ", gpus.count, " GPU", gpus.count == 1 ? "" : "s",
                          ", but CUDA_VISIBLE_DEVICES=\"", cuda_visible_devices.value_or(""), "\" leaves none visible"),
                  "Unset CUDA_VISIBLE_DEVICES, or name GPUs by index (0 is the first) or by UUID (nvidia-smi -L).");
    }
    throw Error(
        "--nproc-per-node gpu: no GPU found on this machine (asked NVML, then /proc/driver/nvidia/gpus)",
        "Check the driver with nvidia-smi; in a container, start it with its GPUs (--gpus all). To train on the "
        "CPU, give a number: --nproc-per-node 2.");
  }
  if (nproc_per_node == "xpu") {
    throw UsageError("--nproc-per-node xpu: mdl-launch counts NVIDIA's GPUs only, and cannot count Intel's",
                     "Give the number of workers.");
  }
  return parse_worker_count(nproc_per_node);
}

int parse_worker_count(const std::string& nproc_per_node) {
  const auto number = parse_whole_number(nproc_per_node);
  if (!number || *number < 1 || *number > std::numeric_limits<int>::max()) {
    throw UsageError(
        str_cat("--nproc-per-node must be a number above 0, gpu, cpu or auto, but is \"", nproc_per_node, "\""),
        str_cat(did_you_mean(nproc_per_node, std::vector<std::string>{"gpu", "cpu", "auto"}),
                "As in --nproc-per-node 2, or --nproc-per-node gpu."));
  }
  return static_cast<int>(*number);
}

}  // namespace mdl::launcher::machine
