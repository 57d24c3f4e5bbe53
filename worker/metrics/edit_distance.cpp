#include "worker/metrics/edit_distance.hpp"

#include <algorithm>
#include <numeric>

#include "worker/text/unicode.hpp"

namespace mdl::worker::metrics {
namespace {

/// One row of the table of distances at a time.
template <typename Sequence>
std::int64_t distance(const Sequence& reference, const Sequence& hypothesis) {
  std::vector<std::int64_t> row(hypothesis.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 0; i < reference.size(); ++i) {
    std::int64_t diagonal = row[0];
    row[0] = static_cast<std::int64_t>(i) + 1;
    for (std::size_t j = 0; j < hypothesis.size(); ++j) {
      const std::int64_t substituted = diagonal + (reference[i] == hypothesis[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({substituted, diagonal + 1, row[j] + 1});
    }
  }
  return row.back();
}

std::vector<std::u32string> words_of(const std::string& utf8) {
  std::vector<std::u32string> words;
  std::u32string word;
  for (const char32_t c : text::to_code_points(text::to_utf8_lossy(utf8))) {
    if (!text::is_python_space(c)) {
      word += c;
    } else if (!word.empty()) {
      words.push_back(std::move(word));
      word.clear();
    }
  }
  if (!word.empty()) { words.push_back(std::move(word)); }
  return words;
}

}  // namespace

double ErrorRate::rate() const {
  return static_cast<double>(edits) / static_cast<double>(std::max<std::int64_t>(1, units));
}

std::int64_t edit_distance(const std::vector<std::u32string>& reference,
                           const std::vector<std::u32string>& hypothesis) {
  return distance(reference, hypothesis);
}

std::int64_t edit_distance(std::u32string_view reference, std::u32string_view hypothesis) {
  return distance(reference, hypothesis);
}

void add_words(ErrorRate& rate, const std::string& reference, const std::string& hypothesis) {
  const auto words = words_of(reference);
  rate.edits += edit_distance(words, words_of(hypothesis));
  rate.units += std::ssize(words);
}

void add_characters(ErrorRate& rate, std::u32string_view reference, std::u32string_view hypothesis) {
  rate.edits += edit_distance(reference, hypothesis);
  rate.units += std::ssize(reference);
}

}  // namespace mdl::worker::metrics
