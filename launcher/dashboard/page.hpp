#pragma once

#include <memory>
#include <string>

namespace mdl::launcher::dashboard {

/// The page in one file, the same for every job and reader: what it shows comes over /events.
struct Page {
  std::shared_ptr<const std::string> html;
  /// The value of the header Content-Security-Policy: its own style and script, by their hashes, and questions to its
  /// own server; nothing else, from nowhere.
  std::string policy;
};

Page make_page();

}  // namespace mdl::launcher::dashboard
