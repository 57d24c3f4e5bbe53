#include "worker/info/describe_dataset.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <iomanip>
#include <limits>
#include <nlohmann/json.hpp>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/cli/locale_charset.hpp"
#include "worker/cli/size_text.hpp"
#include "worker/dataset/dataset_folder.hpp"
#include "worker/info/describe_model.hpp"
#include "worker/info/duplicates.hpp"
#include "worker/info/histogram.hpp"
#include "worker/text/tokenizer/tokenizer.hpp"

namespace mdl::worker::info {
namespace fs = std::filesystem;
namespace {

constexpr double kSampleRate = 16000;

/// "[int32]" for a list, "int64" for a single value.
std::string columns_of(const fs::path& folder) {
  std::string text;
  try {
    const auto info = nlohmann::ordered_json::parse(read_text(folder / "dataset_info.json"));
    for (const auto& [name, feature] : info.at("features").items()) {
      const auto& inner = feature.contains("feature") ? feature.at("feature") : feature;
      const std::string dtype = inner.value("dtype", "?");
      text +=
          str_cat(text.empty() ? "" : ", ", name, ' ', feature.contains("feature") ? str_cat('[', dtype, ']') : dtype);
    }
  } catch (const nlohmann::json::exception&) { return "not said in dataset_info.json"; }
  return text;
}

/// Least, mean and most of a number over all rows.
struct Spread {
  std::int64_t least = std::numeric_limits<std::int64_t>::max(), most = 0, sum = 0;
  void add(std::int64_t value) {
    least = std::min(least, value);
    most = std::max(most, value);
    sum += value;
  }
  std::string show(std::int64_t rows, double unit, const char* name) const {
    return str_cat(std::setprecision(4), static_cast<double>(least) / unit, " to ", static_cast<double>(most) / unit,
                   name, ", ", static_cast<double>(sum) / unit / static_cast<double>(rows), " on average");
  }
};

/// Token ids as text, a run of equal tokens as one and its count.
std::string show_ids(const std::vector<std::int64_t>& ids, const text::tokenizer::Tokenizer* tokenizer) {
  std::string text;
  for (std::size_t i = 0; i < ids.size();) {
    std::size_t run = i;
    while (run < ids.size() && ids[run] == ids[i]) { ++run; }
    if (tokenizer && run - i > 3) {
      const std::array one{static_cast<text::tokenizer::TokenId>(ids[i])};
      text += str_cat(tokenizer->decode(one, false), "*", run - i);
      i = run;
    } else if (tokenizer) {
      // Characters may be made of several tokens, so decode up to the next long run.
      std::vector<text::tokenizer::TokenId> part;
      while (i < ids.size()) {
        std::size_t next = i;
        while (next < ids.size() && ids[next] == ids[i]) { ++next; }
        if (next - i > 3) { break; }
        for (; i < next; ++i) { part.push_back(static_cast<text::tokenizer::TokenId>(ids[i])); }
      }
      text += tokenizer->decode(part, false);
    } else {
      text += str_cat(text.empty() ? "" : " ", ids[i]);
      if (run - i > 3) { text += str_cat("*", run - i); }
      i = run - i > 3 ? run : i + 1;
    }
  }
  return text;
}

/// What all rows together tell.
struct Totals {
  Spread lengths, tokens, labels, stored;
  std::vector<double> seconds, token_counts;  ///< of each row
  std::int64_t padding = 0;
  std::int64_t bytes = 0, files = 0;
};

Totals count(const dataset::DatasetFolder& dataset, const fs::path& folder) {
  Totals totals;
  for (std::int64_t i = 0; i < dataset.size(); ++i) {
    const dataset::Sample sample = dataset.sample(i);
    totals.lengths.add(sample.audio_length);
    totals.seconds.push_back(static_cast<double>(sample.audio_length) / kSampleRate);
    totals.stored.add(dataset::sample_count(sample.waveform));
    const std::int64_t real = dataset::token_count(sample);
    totals.tokens.add(real);
    totals.token_counts.push_back(static_cast<double>(real));
    totals.padding += std::ssize(sample.attention_mask) - real;
    totals.labels.add(std::ssize(sample.labels) -
                      std::count(sample.labels.begin(), sample.labels.end(), dataset::kIgnoredLabel));
  }
  for (const fs::path& file : dataset::list_data_files(folder)) {
    ++totals.files;
    totals.bytes += static_cast<std::int64_t>(fs::file_size(file));
  }
  return totals;
}

std::string describe_padding(const Totals& totals) {
  std::array<char, 64> share{};
  const std::int64_t silence = totals.stored.sum - totals.lengths.sum;
  std::snprintf(share.data(), share.size(), "%.0f %% of the samples, %.0f %% of the tokens",
                100.0 * static_cast<double>(silence) / static_cast<double>(totals.stored.sum),
                100.0 * static_cast<double>(totals.padding) / static_cast<double>(totals.tokens.sum + totals.padding));
  return share.data();
}

std::string two_decimals(double value) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.2f", value);
  return text.data();
}

std::string describe_row(const dataset::Sample& sample, const text::tokenizer::Tokenizer* tokenizer) {
  std::vector<std::int64_t> ids, labelled;
  for (std::size_t i = 0; i < sample.input_ids.size(); ++i) {
    if (sample.attention_mask[i]) { ids.push_back(sample.input_ids[i]); }
    if (sample.labels[i] != dataset::kIgnoredLabel) { labelled.push_back(sample.labels[i]); }
  }
  return str_cat(two_decimals(static_cast<double>(sample.audio_length) / kSampleRate), " s of sound):\n",
                 show_ids(ids, tokenizer), "\n  its labels:\n", show_ids(labelled, tokenizer),
                 tokenizer ? "\n" : "\n  (give --model-name to see these ids as text)\n");
}

}  // namespace

std::string describe_dataset(const fs::path& folder, std::int64_t row, const std::optional<fs::path>& model_folder) {
  const dataset::DatasetFolder dataset(folder);
  if (row < 0 || row >= dataset.size()) {
    throw UsageError(str_cat("--row ", row, ": the dataset has the rows 0 to ", dataset.size() - 1));
  }
  const Totals totals = count(dataset, folder);
  std::optional<text::tokenizer::Tokenizer> tokenizer;
  if (model_folder) { tokenizer = text::tokenizer::Tokenizer::load(*model_folder); }
  const std::int64_t rows = dataset.size();
  const bool blocks = cli::locale_is_utf8();
  return str_cat(
      folder.string(), ": a dataset\n  rows:               ", with_commas(rows),
      "\n  files:              ", totals.files, ", ", cli::size_text(totals.bytes),
      "\n  columns:            ", columns_of(folder),
      "\n  sound:              ", two_decimals(static_cast<double>(totals.lengths.sum) / kSampleRate / 3600), " h, ",
      totals.lengths.show(rows, kSampleRate, " s"), "\n  tokens:             ", with_commas(totals.tokens.sum), ", ",
      totals.tokens.show(rows, 1, ""), "\n  labels:             ", with_commas(totals.labels.sum), ", ",
      totals.labels.show(rows, 1, ""), "\n  padding:            ", describe_padding(totals),
      "\n  duplicates:         ", describe_duplicates(find_duplicates(dataset)), "\n  seconds of sound, and rows:\n",
      draw_histogram(totals.seconds, blocks), "  tokens, and rows:\n", draw_histogram(totals.token_counts, blocks, 1),
      "  row ", row, " (", describe_row(dataset.sample(row), tokenizer ? &*tokenizer : nullptr));
}

}  // namespace mdl::worker::info
