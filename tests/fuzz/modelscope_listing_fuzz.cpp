// What ModelScope answers: the listing of a repository, and its messages.
#include <algorithm>
#include <string>

#include "common/error.hpp"
#include "tests/fuzz/fuzz_input.hpp"
#include "worker/hub/modelscope_listing.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(mdl::fuzz::text_of(data, size));
  mdl::fuzz::claim(std::ranges::all_of(mdl::worker::hub::modelscope_message(text),
                                       [](char letter) { return letter >= ' ' && letter <= '~'; }),
                   "a message holds nothing that moves a terminal's cursor");
  try {
    mdl::worker::hub::Listing listing{"master", mdl::worker::hub::parse_modelscope_files(text, "o/n")};
    mdl::worker::hub::check_listed(listing, "o/n");
    for (const auto& file : listing.files) {
      mdl::fuzz::claim(mdl::worker::hub::is_safe_path(file.path), "a listed file lies below the snapshot");
      mdl::fuzz::claim(file.size >= 0, "a listed file has a size");
    }
  } catch (const mdl::Error&) {}
  return 0;
}
