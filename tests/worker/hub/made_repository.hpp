#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "common/atomic_file.hpp"
#include "worker/hub/model_cache.hpp"

namespace mdl::test {

namespace fs = std::filesystem;
using namespace mdl::worker::hub;

inline const std::string kSha(40, 'c');
inline const ModelName kName{"org", "name", std::nullopt};

/// A repository with these files, each with a hash of its own.
struct Made {
  Listing listing{kSha, {}};
  explicit Made(const std::vector<std::string>& paths) {
    for (const std::string& path : paths) {
      listing.files.push_back({path, static_cast<std::int64_t>(path.size()), {Digest::Kind::sha256, sha256_hex(path)}});
    }
  }

  /// As a transfer does; the content of a file is its path.
  fs::path put_into(const ModelCache& cache, const ModelName& model = kName) const {
    for (const ListedFile& file : listing.files) {
      if (cache.find_file(model, listing, file)) { continue; }
      const auto place = cache.part_place(model, listing, file);
      fs::create_directories(place.folder);
      const fs::path part = place.folder / (place.stem + ".incomplete");
      write_text_atomically(part, file.path);
      cache.keep(model, listing, file, part);
    }
    return cache.publish(model, listing, listing.files);
  }
};

inline void put_file(const fs::path& path, const std::string& text = "{}") {
  fs::create_directories(path.parent_path());
  write_text_atomically(path, text);
}

}  // namespace mdl::test
