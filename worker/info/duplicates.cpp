#include "worker/info/duplicates.hpp"

#include <algorithm>
#include <bit>
#include <map>

#include "common/str_cat.hpp"
#include "worker/dataset/fingerprint.hpp"

namespace mdl::worker::info {
namespace {

using dataset::Sample;

/// Equal for equal sounds, and seldom for others: the length and a stretch in the middle, which is a page or two of the
/// mapped file.
std::string key_of(const Sample& sample) {
  constexpr std::int64_t kStretch = 256;
  const std::int64_t begin = std::max<std::int64_t>(0, sample.audio_length - kStretch) / 2;
  dataset::Fingerprint print;
  print.add(sample.audio_length);
  std::visit(
      [&](const auto& values) {
        for (std::int64_t i = begin; i < std::min(begin + kStretch, sample.audio_length); ++i) {
          print.add(std::int64_t{std::bit_cast<std::int32_t>(dataset::to_sample(values[static_cast<std::size_t>(i)]))});
        }
      },
      sample.waveform);
  return print.hex();
}

bool same_sound(const Sample& one, const Sample& other) {
  if (one.audio_length != other.audio_length) { return false; }
  const auto length = static_cast<std::size_t>(one.audio_length);
  return std::visit(
      [&](const auto& values, const auto& others) {
        return std::ranges::equal(
            values.first(length), others.first(length), {}, [](auto value) { return dataset::to_sample(value); },
            [](auto value) { return dataset::to_sample(value); });
      },
      one.waveform, other.waveform);
}

/// What is left of a list where nothing is padding.
std::vector<std::int64_t> real_part(const Sample& sample, const std::vector<std::int64_t>& list) {
  std::vector<std::int64_t> part;
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (sample.attention_mask[i] != 0) { part.push_back(list[i]); }
  }
  return part;
}

bool same_text(const Sample& one, const Sample& other) {
  return real_part(one, one.input_ids) == real_part(other, other.input_ids) &&
         real_part(one, one.labels) == real_part(other, other.labels);
}

std::string list_of(const std::vector<Duplicate>& duplicates, bool with_text) {
  constexpr std::int64_t kListed = 5;
  const auto count =
      std::ranges::count_if(duplicates, [&](const Duplicate& each) { return each.same_text == with_text; });
  if (count == 0) { return {}; }
  std::string text =
      str_cat(count, count == 1 ? " row has" : " rows have", " the sound ",
              with_text ? "and the text of an earlier one" : "of an earlier one, and another text", ": ");
  std::int64_t listed = 0;
  for (const Duplicate& each : duplicates) {
    if (each.same_text != with_text || listed == kListed) { continue; }
    text += str_cat(listed == 0 ? "" : ", ", each.row, " (as ", each.earlier, ")");
    ++listed;
  }
  return count > kListed ? str_cat(text, " and ", count - kListed, " more") : text;
}

}  // namespace

std::vector<Duplicate> find_duplicates(const dataset::DatasetFolder& dataset) {
  std::map<std::string, std::vector<std::int64_t>> rows_of_key;  // rows with different sounds
  std::vector<Duplicate> duplicates;
  for (std::int64_t row = 0; row < dataset.size(); ++row) {
    const Sample sample = dataset.sample(row);
    std::vector<std::int64_t>& rows = rows_of_key[key_of(sample)];
    const auto earlier =
        std::ranges::find_if(rows, [&](std::int64_t other) { return same_sound(sample, dataset.sample(other)); });
    if (earlier == rows.end()) {
      rows.push_back(row);
    } else {
      duplicates.push_back({row, *earlier, same_text(sample, dataset.sample(*earlier))});
    }
  }
  return duplicates;
}

std::string describe_duplicates(const std::vector<Duplicate>& duplicates) {
  const std::string same = list_of(duplicates, true), other = list_of(duplicates, false);
  if (same.empty() && other.empty()) { return "none"; }
  return str_cat(same, same.empty() || other.empty() ? "" : "\n                      ", other);
}

}  // namespace mdl::worker::info
