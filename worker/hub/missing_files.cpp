#include "worker/hub/missing_files.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/json_nesting.hpp"
#include "worker/formats/safetensors_header.hpp"
#include "worker/hub/cache_files.hpp"

namespace mdl::worker::hub {
namespace {

namespace fs = std::filesystem;

/// The files in Python's listing of a commit. Nothing where it has another form.
std::vector<std::string> python_files(const std::string& text) {
  using nlohmann::json;
  if (json_nesting(text) > kMaxJsonNesting) { return {}; }
  const json listing = json::parse(text, nullptr, false);
  if (!listing.is_object() || listing.value("format_version", json()) != 1) { return {}; }
  const auto files = listing.find("files");
  if (files == listing.end() || !files->is_object()) { return {}; }
  std::vector<std::string> paths;
  for (const auto& [path, facts] : files->items()) { paths.push_back(path); }
  return paths;
}

void add_missing_weights(const fs::path& snapshot, bool adapter, std::vector<std::string>& missing) {
  std::set<std::string> weights;
  if (const fs::path index = snapshot / kSafetensorsIndex; is_there(index)) {
    try {
      for (const auto& [tensor, file] : formats::parse_safetensors_index(read_text(index), index.string())) {
        weights.insert(file);
      }
    } catch (const Error&) { weights.insert(kSafetensorsIndex + std::string(" (which is broken)")); }
  } else {
    weights.insert(adapter ? kAdapterWeights : kSafetensors);
  }
  std::ranges::copy_if(weights, std::back_inserter(missing),
                       [&](const std::string& file) { return !is_there(snapshot / file); });
}

}  // namespace

std::vector<std::string> missing_files(const fs::path& snapshot, Parts parts, const std::string& python_listing) {
  const bool adapter = is_there(snapshot / "adapter_config.json") && !is_there(snapshot / "config.json");
  const auto always = needed_files(adapter);
  std::set<std::string> needed(always.begin(), always.end());
  for (const std::string& path : python_files(python_listing)) {
    if (is_wanted_small_file(path) && is_safe_path(path)) { needed.insert(path); }
  }
  std::vector<std::string> missing;
  std::ranges::copy_if(needed, std::back_inserter(missing),
                       [&](const std::string& file) { return !is_there(snapshot / file); });
  if (parts == Parts::all || adapter) { add_missing_weights(snapshot, adapter, missing); }
  return missing;
}

}  // namespace mdl::worker::hub
