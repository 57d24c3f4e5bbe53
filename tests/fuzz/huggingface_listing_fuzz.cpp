// What Hugging Face's API answers: a commit, a page of a repository's listing, and the Link header to the next one.
#include <string>

#include "common/error.hpp"
#include "tests/fuzz/fuzz_input.hpp"
#include "worker/hub/huggingface_listing.hpp"

namespace {

using namespace mdl::worker::hub;

/// Whatever passes both the parser and the check may be written below a snapshot's folder.
void list(const std::string& text) {
  try {
    const Listing listing{std::string(40, 'c'), parse_tree_page(text, "o/n")};
    check_listed(listing, "o/n");
    for (const ListedFile& file : listing.files) {
      mdl::fuzz::claim(is_safe_path(file.path), "a listed file lies below the snapshot");
      mdl::fuzz::claim(file.size >= 0, "a listed file has a size");
      mdl::fuzz::claim(is_digest(file.digest.kind, file.digest.hex) && !file.digest.hex.empty(),
                       "a blob's name is a hash");
    }
  } catch (const mdl::Error&) {}
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(mdl::fuzz::text_of(data, size));
  list(text);
  try {
    parse_commit(text, "o/n");
  } catch (const mdl::Error&) {}
  if (const auto next = next_page(text)) {
    mdl::fuzz::claim(next->find('>') == std::string::npos, "an address ends where its bracket does");
  }
  return 0;
}
